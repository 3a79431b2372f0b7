//! The verdict of a flow in words: who was asked on its way, rule by rule, and what would open it.

#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::json::{Which, which};
use super::text::Tone;
use super::{Style, text};
use crate::model::{
    Cloud, Direction, Ec2Name, Era, Flow, GroupName, InstanceName, InstanceState, Mtu, NetworkInterfaceId, Operation,
    Peers, PrivateIp, RuleId, SecurityGroupId, Service, SourceLocation, Verdict,
};
use crate::policy::behind::{Behind, Reached};
use crate::policy::{self, Arrival, RuleEvaluation, Stage, Walk};
use crate::scenario::health;
use crate::topology::write;

/// The flow, its verdict and its walk, in words and as data.
#[derive(Serialize)]
pub struct Explanation {
    #[serde(flatten)]
    flow: Which,
    /// The flow in the words of a file.
    written: String,
    /// `open`, `dropped`, `misdelivered`, `unreachable` or `unresolved`.
    #[serde(serialize_with = "word")]
    verdict: Verdict,
    /// End at which groups dropped it.
    at: Option<Direction>,
    /// The verdict in a sentence.
    summary: String,
    walk: Vec<StageReport>,
    /// Of a flow that is open: a link on its way that takes less than its ends send, and whether they are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_mtu: Option<SmallLinkTold>,
    /// Of a listener of a load balancer that lets the flow in: the instances behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    behind: Vec<Target>,
    remedies: Vec<Cure>,
}

/// Outcome of two ends that send to each other from fixed ports.
#[derive(Serialize)]
pub struct Together {
    /// The two in the words of a file.
    written: String,
    /// True if each hears the other, once both have sent.
    meet: bool,
    /// The same in a sentence.
    summary: String,
}

/// An instance behind a load balancer.
#[derive(Serialize)]
struct Target {
    instance: InstanceName,
    /// The address of its registration.
    address: PrivateIp,
    /// Result of its health check, true for a pass; nothing where a program decides.
    passes: Option<bool>,
    /// The health check in a sentence.
    text: String,
    /// Operations that make it pass.
    changes: Vec<Offer>,
}

/// An operation that is offered. In JSON it is its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The operation in the words of a file. They need not say all of it.
    pub words: String,
    /// The operation itself.
    pub operation: Operation,
}

impl From<Operation> for Offer {
    fn from(operation: Operation) -> Self {
        Self { words: write::operation(&operation), operation }
    }
}

impl Serialize for Offer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words)
    }
}

/// A link that takes less than what is sent over it.
#[derive(Serialize)]
struct SmallLinkTold {
    /// In bytes.
    mtu: Mtu,
    /// MTU of the ends, in bytes.
    sent: Mtu,
    /// True if every end in the cloud is told by ICMP.
    told: bool,
    /// The same in a sentence.
    text: String,
}

/// A stage of the walk.
#[derive(Serialize)]
struct StageReport {
    stage: &'static str,
    text: String,
    interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface_id: Option<NetworkInterfaceId>,
    address: Option<IpAddr>,
    groups: Vec<GroupName>,
    /// Their ids, in the same order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_ids: Vec<SecurityGroupId>,
    /// The names that EC2 has of them, in the same order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_names: Vec<Ec2Name>,
    rules: Vec<Tried>,
    tracked: Option<bool>,
    tracking: Option<String>,
}

/// A rule that was tried.
#[derive(Serialize)]
struct Tried {
    group: GroupName,
    id: RuleId,
    written: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    place: Option<SourceLocation>,
    admits: bool,
    why: Option<String>,
}

/// A remedy that was tried and opens the flow.
#[derive(Serialize)]
struct Cure {
    text: String,
    /// The flow as it is to be asked for.
    flow: String,
    /// Operations that open it.
    changes: Vec<Offer>,
}

/// Moment that the flow is asked about.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Moment<'a> {
    /// The file as the user named it.
    pub file: &'a str,
    /// The era.
    pub era: Era,
    /// Number of the step after whose operations it is; 0 for as launched.
    pub step: usize,
    /// The step's name.
    pub name: Option<&'a str>,
}

impl Explanation {
    /// Every operation that it offers: of its remedies, and for what is behind a load balancer.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        let remedies = self.remedies.iter().flat_map(|cure| &cure.changes);
        remedies.chain(self.behind.iter().flat_map(|target| &target.changes))
    }
}

/// Explains a flow as the cloud is now.
pub fn explain(cloud: &Cloud, flow: &Flow) -> Explanation {
    let walk = policy::walk(cloud, flow);
    let remedies = policy::remedies(cloud, flow).into_iter().map(|remedy| Cure {
        text: words::remedy(flow, &remedy),
        flow: write::flow(&words::instead(flow, &remedy)),
        changes: remedy.changes.into_iter().map(Offer::from).collect(),
    });
    Explanation {
        flow: which(flow),
        written: write::flow(flow),
        verdict: walk.verdict.clone(),
        at: walk.verdict.refused_at(),
        summary: words::verdict(cloud, flow, &walk)
            + &crashed(cloud, flow, &walk.verdict)
            + &closed(cloud, flow, &walk.verdict)
            + &unproved(cloud, flow, &walk),
        walk: walk.stages.iter().map(|stage| told(cloud, flow, stage)).collect(),
        path_mtu: policy::small_link(cloud, flow).map(|link| SmallLinkTold {
            mtu: link.takes,
            sent: link.sent,
            told: link.ends.iter().all(|(_, comes)| !matches!(comes, Arrival::Not(_))),
            text: words::small_link(&link),
        }),
        behind: if walk.verdict.is_open() { behind(cloud, flow) } else { Vec::new() },
        remedies: remedies.collect(),
    }
}

fn word<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}

/// Predicts the outcome of two ends that send to each other; nothing where it is not known.
pub fn together(cloud: &Cloud, peers: &Peers) -> Option<Together> {
    let meeting = policy::meeting(cloud, peers)?;
    let meet = meeting.there && meeting.back;
    let is_open = |flow: &Flow| policy::judge(cloud, flow).is_open();
    let summary = match (meet, is_open(&peers.there) || is_open(&peers.back)) {
        (true, true) => {
            "both hear each other: what one end sends comes in by a rule, and the answer to that needs none"
        }
        (true, false) => {
            "both hear each other once both have sent: each takes what comes back from whom it has sent to, and no rule \
             has to let it in"
        }
        (false, _) => "neither hears the other, also where both send: who may not send is answered by nobody",
    };
    Some(Together { written: write::peers(peers), meet, summary: summary.to_owned() })
}

/// Lists the instances behind the listener that a flow comes to. Services there are known on ports that an instance `listens` on only.
fn behind(cloud: &Cloud, flow: &Flow) -> Vec<Target> {
    let balancer = flow.to.load_balancer().and_then(|name| cloud.load_balancers.get_key_value(name));
    let Some((name, balancer)) =
        balancer.filter(|(_, it)| flow.service.tcp_port().is_some_and(|port| it.listeners.contains_key(&port)))
    else {
        return Vec::new();
    };
    let one = |(instance, address): (&InstanceName, &PrivateIp)| {
        let check = policy::behind::health_check(cloud, balancer, instance, &health::ears(cloud))?;
        let failed = matches!(check, Reached::Fails(_));
        let cures =
            if failed { policy::remedies(cloud, &health::flow((name, balancer), instance)) } else { Vec::new() };
        let cure = cures.into_iter().find(|cure| cure.via.is_none() && cure.scheme.is_none());
        Some(Target {
            instance: instance.clone(),
            address: *address,
            passes: match check {
                Reached::Answered { .. } => Some(true),
                Reached::Unknown { .. } => None,
                Reached::Fails(_) => Some(false),
            },
            text: health::sentence(cloud, balancer, instance, &check),
            changes: cure.into_iter().flat_map(|cure| cure.changes).map(Offer::from).collect(),
        })
    };
    balancer.registrations.iter().filter_map(one).collect()
}

/// A listener that takes what comes, and can pass it on to nobody.
fn closed(cloud: &Cloud, flow: &Flow, verdict: &Verdict) -> String {
    let balancer =
        flow.to.load_balancer().and_then(|name| cloud.load_balancers.get(name)).filter(|_| verdict.is_open());
    let behind =
        balancer.and_then(|it| policy::behind::listener(cloud, it, flow.service.tcp_port()?, &health::ears(cloud)));
    match behind {
        Some(Behind::Closed) => {
            let why = balancer.zip(flow.service.tcp_port()).map(|(it, port)| health::closed(cloud, it, port));
            format!("; but {} closes it: {}", flow.to, why.map(|why| why.to_string()).unwrap_or_default())
        }
        Some(Behind::OnAProgram { of }) => {
            let port = balancer.zip(flow.service.tcp_port()).and_then(|(it, port)| it.listeners.get(&port));
            let port = port.map_or_else(String::new, |port| format!(" on tcp {port}"));
            format!(", if a program of {of} listens{port}; {} closes it where nobody behind it does", flow.to)
        }
        _ => String::new(),
    }
}

/// That no probe shows what is said of the flow.
fn unproved(cloud: &Cloud, flow: &Flow, walk: &Walk) -> String {
    policy::unproved(cloud, flow, walk).map_or_else(String::new, |why| format!("; but no packet shows it: {why}"))
}

/// An open door with nobody behind it.
fn crashed(cloud: &Cloud, flow: &Flow, verdict: &Verdict) -> String {
    let receiver = flow.to.instance().and_then(|name| cloud.instances.get(name));
    let dead = receiver.is_some_and(|it| it.state == InstanceState::Crashed);
    if verdict.is_open() && dead {
        format!("; but {} has crashed, and answers nothing", flow.to)
    } else {
        String::new()
    }
}

fn told(cloud: &Cloud, flow: &Flow, stage: &Stage) -> StageReport {
    let mut told = StageReport {
        stage: words::kind(stage),
        text: words::stage(cloud, stage),
        interface: None,
        interface_id: None,
        address: None,
        groups: Vec::new(),
        group_ids: Vec::new(),
        group_names: Vec::new(),
        rules: Vec::new(),
        tracked: None,
        tracking: None,
    };
    if let Stage::RuleEvaluation(asked) = stage {
        let memory = policy::memory(cloud, asked, flow.service);
        told.interface = Some(asked.interface.to_string());
        told.address = Some(asked.other);
        told.interface_id = cloud.interface(&asked.interface).map(|it| it.eni);
        told.groups.clone_from(&asked.groups);
        let groups = || asked.groups.iter().filter_map(|group| cloud.groups.get(group));
        told.group_ids = groups().map(|group| group.id).collect();
        told.group_names = groups().map(|group| group.name.clone()).collect();
        told.rules = tried(cloud, asked, flow.service);
        told.tracked = memory.map(policy::Memory::is_tracked);
        told.tracking = memory.map(|memory| words::memory(cloud, memory));
    }
    told
}

/// Every rule that was tried, those that admit first.
fn tried(cloud: &Cloud, asked: &RuleEvaluation, service: Service) -> Vec<Tried> {
    let mut all: Vec<Tried> = asked
        .trials
        .iter()
        .filter_map(|trial| {
            let (group, rule) = cloud.rule(trial.rule)?;
            Some(Tried {
                group: group.clone(),
                id: rule.id,
                written: rule.written.clone(),
                description: rule.description.clone(),
                place: rule.place.clone(),
                admits: trial.miss.is_none(),
                why: trial.miss.map(|miss| words::miss(cloud, asked, rule, miss, service)),
            })
        })
        .collect();
    all.sort_by_key(|it| !it.admits);
    all
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    #[serde(flatten)]
    moment: Moment<'a>,
    flows: &'a [Explanation],
    /// Of `<->`: what the two come to where both send.
    #[serde(skip_serializing_if = "<[Together]>::is_empty")]
    together: &'a [Together],
}

/// The explanations as one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn json(moment: Moment<'_>, flows: &[Explanation], together: &[Together]) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Document { format: 1, moment, flows, together }).map(|text| text + "\n")
}

/// The explanations as text.
pub fn text(moment: Moment<'_>, flows: &[Explanation], together: &[Together], style: Style) -> String {
    let when = match (moment.step, moment.name) {
        (0, _) => "as launched".to_owned(),
        (step, Some(name)) => format!("after step {step}, \"{}\"", text::shown(name)),
        (step, None) => format!("after step {step}"),
    };
    let mut out = format!("{}   era {}   {when}\n", text::shown_line(moment.file), moment.era);
    for it in flows {
        out.push_str(&one(it, style));
    }
    together.iter().for_each(|it| out.push_str(&both_send(it, style)));
    out
}

fn both_send(it: &Together, style: Style) -> String {
    let tone = if it.meet { Tone::Good } else { Tone::Bad };
    let mut out = format!("\n{}   where both send\n", style.paint(Tone::Strong, &it.written));
    for part in text::wrap(&it.summary, 100) {
        out.push_str(&format!("  {}\n", style.paint(tone, &part)));
    }
    out
}

/// One explanation as text, and as data.
pub fn both(cloud: &Cloud, flow: &Flow, style: Style) -> (String, Explanation) {
    let told = explain(cloud, flow);
    (one(&told, style), told)
}

/// Explains two ends that send to each other, as text and as data.
pub fn both_together(cloud: &Cloud, peers: &Peers, style: Style) -> Option<(String, Together)> {
    let told = together(cloud, peers)?;
    Some((both_send(&told, style), told))
}

fn one(it: &Explanation, style: Style) -> String {
    let tone = if it.verdict.is_open() { Tone::Good } else { Tone::Bad };
    let line = |out: &mut String, label: &str, what: &str| line(out, label, what, style.room(13, 100));
    let mut out = format!("\n{}   {}\n", style.paint(Tone::Strong, &it.written), style.paint(tone, &it.summary));
    for told in &it.walk {
        line(&mut out, told.stage, &told.text);
        for rule in &told.rules {
            let description = rule.description.as_ref().map(|text| format!(" ({})", text::shown(text)));
            let what = format!("{} \"{}\"{}", rule.group, rule.written, description.unwrap_or_default());
            let place = rule.place.as_ref().map_or_else(String::new, ToString::to_string);
            let why = rule.why.as_deref().unwrap_or_default();
            let (tone, word) = if rule.admits { (Tone::Good, "match") } else { (Tone::Faint, "no match") };
            let word = style.paint(tone, &format!("{word:<9}"));
            let rest = format!("{word}  {what:<44}  {place:<24}  {why}");
            out.push_str(&format!("             {}\n", rest.trim_end()));
        }
        if let Some(tracking) = &told.tracking {
            line(&mut out, "", tracking);
        }
    }
    if let Some(link) = &it.path_mtu {
        line(&mut out, "path MTU", &link.text);
    }
    for (number, target) in it.behind.iter().enumerate() {
        line(&mut out, if number == 0 { "behind it" } else { "" }, &target.text);
        if !target.changes.is_empty() {
            line(&mut out, "", "it would pass with");
            target.changes.iter().for_each(|change| out.push_str(&format!("             - {}\n", change.words)));
        }
    }
    for (number, cure) in it.remedies.iter().enumerate() {
        line(&mut out, if number == 0 { "to open it" } else { "or" }, &cure.text);
        cure.changes.iter().for_each(|change| out.push_str(&format!("             - {}\n", change.words)));
    }
    if !it.verdict.is_open() && it.remedies.is_empty() {
        line(&mut out, "to open it", "no change of rules, addresses or states that was tried does");
    }
    style.fit(&out)
}

fn line(out: &mut String, label: &str, what: &str, room: usize) {
    for (number, part) in text::wrap(what, room).iter().enumerate() {
        out.push_str(&format!("  {:<10} {part}\n", if number == 0 { label } else { "" }));
    }
}
