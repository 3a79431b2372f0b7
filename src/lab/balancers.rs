//! The load balancers of a lab: put to work, told who is behind them, and asked what they think of these.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::booted::Lab;
use super::error::LabError;
use crate::compile::names;
use crate::model::{Cloud, Flow, InstanceName, LoadBalancerName, Service};
use crate::probe::{Health, Plan, RunningBalancer};

/// A wait that is longer than this wants a word.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Health of each instance behind each load balancer, as the load balancer sees it.
pub type HealthOfAll = IndexMap<LoadBalancerName, IndexMap<InstanceName, Health>>;

impl Lab {
    /// Returns the health of each instance behind each load balancer, once further health checks say the same. What a change comes to is known after
    /// as many checks as the thresholds ask for, and this waits for them and for nothing else.
    ///
    /// # Errors
    /// [`LabError::Broken`]: nothing that a broken lab shows would count.
    pub async fn health(&self) -> Result<HealthOfAll, LabError> {
        self.refuse_broken()?;
        let all = self.state.cloud().load_balancers.iter().map(|(name, balancer)| async move {
            let node = names::load_balancer(name);
            let health = self.prober.health(&node);
            let check = &balancer.health_check;
            let sentence = || {
                format!(
                    "waiting for the health checks of {name}: one every {} s, {} that pass or {} that fail in a row decide",
                    check.interval.as_secs_f64(),
                    check.healthy_threshold,
                    check.unhealthy_threshold
                )
            };
            (name.clone(), self.telling(sentence, health).await)
        });
        Ok(futures::future::join_all(all).await.into_iter().collect())
    }

    /// The load balancers at work, to look at, also while the lab is busy.
    pub fn balancers_at_work(&self) -> IndexMap<LoadBalancerName, RunningBalancer> {
        let at_work = |name: &LoadBalancerName| Some((name.clone(), self.prober.at_work(&names::load_balancer(name))?));
        self.state.cloud().load_balancers.keys().filter_map(at_work).collect()
    }

    /// Sets the function that is told, in a sentence, of each wait longer than a second, once each time: for health checks, for services to be ready,
    /// for a connection to be forgotten.
    pub fn tell_waits(&mut self, tell: Option<fn(&str)>) {
        self.tell_waits = tell;
    }

    pub(super) async fn telling<T>(&self, sentence: impl Fn() -> String, wait: impl Future<Output = T>) -> T {
        tokio::pin!(wait);
        let Some(tell) = self.tell_waits else { return wait.await };
        if let Ok(done) = tokio::time::timeout(WORTH_TELLING, &mut wait).await {
            return done;
        }
        tell(&sentence());
        wait.await
    }

    /// Returns `true` if a flow comes to a listener of a load balancer.
    pub(super) fn is_balanced(&self, flow: &Flow) -> bool {
        let balancer = flow.to.load_balancer().and_then(|name| self.state.cloud().load_balancers.get(name));
        match (balancer, flow.service) {
            (Some(balancer), Service::Tcp(port)) => balancer.listeners.contains_key(&port),
            _ => false,
        }
    }

    /// Lists the holders of the addresses that the listener of a flow passes on to, each with the port there. None where a health check asks at that
    /// port: who answers it for a moment would come into service.
    pub(super) fn passed_on_to(&self, flow: &Flow) -> Vec<(InstanceName, Service)> {
        let balancer = flow.to.load_balancer().and_then(|name| self.state.cloud().load_balancers.get(name));
        let to = balancer.and_then(|it| it.listeners.get(&flow.service.tcp_port()?));
        let (Some(balancer), Some(to)) = (balancer, to) else { return Vec::new() };
        if self.state.cloud().load_balancers.values().any(|it| it.health_check.port == *to) {
            return Vec::new();
        }
        let vpc = &balancer.interface.vpc;
        let holders = self.state.cloud().interfaces().filter(|(.., it)| {
            it.vpc == *vpc && it.private.is_some_and(|private| balancer.registrations.values().any(|at| *at == private))
        });
        holders.map(|(name, ..)| (name.clone(), Service::Tcp(*to))).collect()
    }

    /// Puts those to work that are not yet.
    pub(super) async fn open_balancers(&mut self, cloud: &Cloud) -> Result<(), LabError> {
        for (name, balancer) in &cloud.load_balancers {
            let node = names::load_balancer(name);
            let Some(private) = balancer.interface.private.filter(|_| !self.prober.balances(&node)) else { continue };
            let plan = Plan {
                node: Arc::clone(self.state.fabric().node(&node)?),
                address: IpAddr::V4(private.0),
                listeners: balancer.listeners.clone(),
                health_check: balancer.health_check,
            };
            self.prober.balance(plan).await?;
        }
        Ok(())
    }

    /// Tells each who is behind it now.
    pub(super) fn register_targets(&mut self) {
        for (name, balancer) in &self.state.cloud().load_balancers {
            let targets = balancer.registrations.iter().map(|(name, private)| (name.clone(), IpAddr::V4(private.0)));
            self.prober.register_targets(&names::load_balancer(name), &targets.collect());
        }
    }
}
