//! Whole changes: phases in order, taken back last first where one fails, and at the end what cannot be taken back.

use super::apply::Fabric;
use super::error::FabricError;
use super::kernel::Tolerance;
use super::work::Committed;
use crate::network::{Action, Phases};

impl Fabric {
    /// Carries out phases in order. If one fails, it and those before it are taken back, last first.
    ///
    /// # Errors
    /// The failure, in the tool's own words; [`FabricError::Broken`] if taking back failed too.
    pub async fn execute(&mut self, phases: &Phases) -> Result<(), FabricError> {
        self.advance(phases).await?;
        match self.complete(phases).await {
            Err(failure @ FabricError::Broken { .. }) => Err(failure),
            Err(failure) => Err(self.retreat(phases, failure).await),
            Ok(()) => Ok(()),
        }
    }

    /// Carries out all that can be taken back; it has been, if this fails.
    ///
    /// # Errors
    /// As for [`Fabric::execute`].
    pub async fn advance(&mut self, phases: &[Vec<Action>]) -> Result<(), FabricError> {
        for (number, phase) in phases.iter().enumerate() {
            let phase: Vec<&Action> = phase.iter().filter(|action| !is_final(action)).collect();
            let mut committed = Committed::default();
            if let Err(failure) = self.phase(&phase, Tolerance::Strict, &mut committed).await {
                if let Some(node) = committed.unknown {
                    let undoing = FabricError::Unknown { node };
                    return Err(FabricError::Broken { failure: failure.into(), undoing: undoing.into() });
                }
                // A transaction is all or nothing: one that failed without effect has nothing to be taken back.
                let without_effect =
                    |action: &Action| matches!(action, Action::Nft { node, .. } if !committed.whole.contains(node));
                let of_this = phase.into_iter().filter(|action| !without_effect(action)).collect();
                return Err(self.take_back(of_this, &phases[..number], failure).await);
            }
        }
        Ok(())
    }

    /// Takes back what [`Fabric::advance`] has carried out, for a failure of what came after it.
    /// Gives that failure, or [`FabricError::Broken`] if taking back fails.
    pub async fn retreat(&mut self, phases: &[Vec<Action>], failure: FabricError) -> FabricError {
        self.take_back(Vec::new(), phases, failure).await
    }

    /// Carries out what cannot be taken back: forgets flows, then gives namespaces up.
    ///
    /// # Errors
    /// The failure: nothing has been forgotten then, and no namespace given up. [`FabricError::Broken`] where something has.
    pub async fn complete(&mut self, phases: &Phases) -> Result<(), FabricError> {
        for phase in phases {
            let phase: Vec<&Action> = phase.iter().filter(|action| is_final(action)).collect();
            self.phase(&phase, Tolerance::Strict, &mut Committed::default()).await?;
        }
        Ok(())
    }

    async fn take_back(&mut self, of_this: Vec<&Action>, earlier: &[Vec<Action>], failure: FabricError) -> FabricError {
        let earlier = earlier.iter().rev().map(|phase| phase.iter().collect());
        for done in std::iter::once(of_this).chain(earlier) {
            let back: Vec<Action> = done.into_iter().rev().filter_map(inverse).collect();
            let back: Vec<&Action> = back.iter().collect();
            if let Err(undoing) = self.phase(&back, Tolerance::AlreadySo, &mut Committed::default()).await {
                return FabricError::Broken { failure: failure.into(), undoing: undoing.into() };
            }
        }
        failure
    }
}

/// Reports whether an action cannot be taken back.
fn is_final(action: &Action) -> bool {
    matches!(action, Action::ForgetFlows(..) | Action::RemoveNode(_))
}

/// The action that takes another back, if it can be.
fn inverse(action: &Action) -> Option<Action> {
    match action.clone() {
        Action::AddNode(name, ..) => Some(Action::RemoveNode(name)),
        Action::AddLink(name, link) => Some(Action::RemoveLink(name, link)),
        Action::RemoveLink(name, link) => Some(Action::AddLink(name, link)),
        Action::AddRoute(node, route) => Some(Action::RemoveRoute(node, route)),
        Action::RemoveRoute(node, route) => Some(Action::AddRoute(node, route)),
        Action::AddPolicy(node, policy) => Some(Action::RemovePolicy(node, policy)),
        Action::RemovePolicy(node, policy) => Some(Action::AddPolicy(node, policy)),
        Action::Nft { node, forward, back } => Some(Action::Nft { node, forward: back, back: forward }),
        // The namespace that it was loaded into goes with its own undo.
        Action::LoadRuleset(..) => None,
        Action::ForgetFlows(..) | Action::RemoveNode(_) => None,
    }
}
