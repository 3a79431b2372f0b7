//! Entering the sandbox, and what to say where this machine cannot host a lab.
