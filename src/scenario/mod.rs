//! Steps and expectations, run against a lab.
