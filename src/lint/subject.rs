//! An account as checks look at it: with members by group and holders by address.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::convention::Role;
use super::found::{About, AboutKind, Found};
use super::options::{EgressRules, Listeners, Options};
use crate::account::{Account, Interface, Origin, Public, ResourceId, Rule, SecurityGroup};
use crate::model::{DEFAULT_GROUP, Direction, Service, Traffic};
use crate::reach::{Carried, Index, RuleAt, carried, rule_words};

/// An account with the options of a run.
pub(super) struct Subject<'a> {
    pub account: &'a Account,
    pub options: &'a Options,
    /// Services by interface, if the source tells who listens.
    pub listeners: Option<&'a Listeners>,
    /// Groups that rules name.
    pub named: HashSet<&'a ResourceId>,
    /// Every interface's groups are known, and there are interfaces.
    pub knows_members: bool,
    members: HashMap<&'a ResourceId, Vec<Member<'a>>>,
    /// By the first address of each block that an interface has.
    private: BTreeMap<IpAddr, Vec<Member<'a>>>,
    public: HashMap<IpAddr, Member<'a>>,
    carried: OnceCell<Vec<Carried>>,
    inside: RefCell<HashMap<InVpc<'a>, Rc<Inside<'a>>>>,
    indexes: RefCell<HashMap<(&'a ResourceId, Direction), Rc<Index<'a>>>>,
    served: RefCell<HashMap<&'a ResourceId, Rc<Served>>>,
}

/// A block of a VPC.
type InVpc<'a> = (IpNet, Option<&'a ResourceId>);

/// Interfaces with an address in a block of a VPC.
pub(super) struct Inside<'a> {
    pub members: IndexSet<&'a ResourceId>,
    /// `web1, web2 and 3 more`.
    pub labels: String,
    /// A group that has these members and no others.
    pub exact: Option<&'a SecurityGroup>,
}

/// Services of a group's members.
pub(super) struct Served {
    pub services: IndexSet<Service>,
    /// The source tells of every member; of a load balancer it does not.
    pub is_whole: bool,
    /// `web1, web2 and 3 more`.
    pub labels: String,
}

/// An interface with its id.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub id: &'a ResourceId,
    pub interface: &'a Interface,
}

impl Member<'_> {
    /// Returns true if it is in the VPC of a group, or in one that is not known.
    fn may_be_near(&self, group: &SecurityGroup) -> bool {
        self.interface.vpc.is_none() || self.interface.vpc == group.vpc
    }
}

/// A rule with its group.
#[derive(Clone, Copy)]
pub(super) struct Ruled<'a> {
    pub id: &'a ResourceId,
    pub group: &'a SecurityGroup,
    pub direction: Direction,
    /// Its number among the group's rules of the direction.
    pub index: usize,
    pub rule: &'a Rule,
}

impl Ruled<'_> {
    /// Its traffic; nothing where that is not known.
    pub fn traffic(&self) -> Option<Traffic> {
        self.rule.traffic.known().copied()
    }

    /// The block that it names.
    pub fn block(&self) -> Option<IpNet> {
        self.rule.peer.block()
    }

    /// Returns true if it names every address of a family.
    pub fn is_anywhere(&self) -> bool {
        self.block().is_some_and(|block| block.prefix_len() == 0)
    }

    /// Returns true for the egress rule that a group is born with.
    pub fn is_born(&self) -> bool {
        self.direction == Direction::Egress && self.is_anywhere() && self.traffic() == Some(Traffic::All)
    }
}

impl<'a> Subject<'a> {
    pub fn new(account: &'a Account, options: &'a Options, listeners: Option<&'a Listeners>) -> Self {
        let mut members: HashMap<&ResourceId, Vec<Member<'a>>> = HashMap::new();
        let mut private: BTreeMap<IpAddr, Vec<Member<'a>>> = BTreeMap::new();
        let mut public = HashMap::new();
        for (id, interface) in &account.interfaces {
            let member = Member { id, interface };
            interface
                .groups
                .known()
                .into_iter()
                .flatten()
                .for_each(|group| members.entry(group).or_default().push(member));
            for block in &interface.addresses {
                private.entry(block.network()).or_default().push(member);
            }
            if let Public::At(addresses) = &interface.public {
                public.extend(addresses.iter().map(|address| (*address, member)));
            }
        }
        let knows_members = !account.interfaces.is_empty()
            && account.interfaces.values().all(|interface| interface.groups.known().is_some());
        let named = account.rules().filter_map(|rule| rule.peer.group()).collect();
        let listeners = listeners.filter(|listeners| listeners.values().any(|services| !services.is_empty()));
        Self {
            account,
            options,
            listeners,
            named,
            knows_members,
            members,
            private,
            public,
            carried: OnceCell::new(),
            inside: RefCell::default(),
            indexes: RefCell::default(),
            served: RefCell::default(),
        }
    }

    /// The members of a group.
    pub fn members(&self, group: &ResourceId) -> &[Member<'a>] {
        self.members.get(group).map_or(&[], Vec::as_slice)
    }

    /// The rules of a group in one direction; none for egress where the platform has none.
    pub fn rules_of(&self, id: &'a ResourceId, direction: Direction) -> impl Iterator<Item = Ruled<'a>> + use<'a> {
        let group = self.account.groups.get(id);
        let rules = group.map_or(&[][..], |group| self.rules_that_count(group, direction));
        let numbered = rules.iter().enumerate();
        numbered.filter_map(move |(index, rule)| group.map(|group| Ruled { id, group, direction, index, rule }))
    }

    /// The rules of a group in both directions.
    pub fn all_rules_of(&self, id: &'a ResourceId) -> impl Iterator<Item = Ruled<'a>> + use<'a> {
        self.rules_of(id, Direction::Ingress).chain(self.rules_of(id, Direction::Egress))
    }

    fn rules_that_count(&self, group: &'a SecurityGroup, direction: Direction) -> &'a [Rule] {
        match (direction, self.options.platform.egress) {
            (Direction::Egress, EgressRules::None) => &[],
            (Direction::Ingress, _) | (Direction::Egress, EgressRules::Enforced) => group.rules(direction),
        }
    }

    /// The rules of a group in one direction that the index of these finds, in their order.
    pub fn found_by(
        &self,
        id: &ResourceId,
        direction: Direction,
        ask: impl Fn(&Index<'a>, &mut Vec<usize>),
    ) -> Vec<Ruled<'a>> {
        let Some((id, group)) = self.account.groups.get_key_value(id) else { return Vec::new() };
        let rules = self.rules_that_count(group, direction);
        let index = self
            .indexes
            .borrow_mut()
            .entry((id, direction))
            .or_insert_with(|| Rc::new(Index::new(self.account, rules)))
            .clone();
        let mut found = Vec::new();
        ask(&index, &mut found);
        found.sort_unstable();
        found.dedup();
        let ruled = |index| Some(Ruled { id, group, direction, index, rule: rules.get(index)? });
        found.into_iter().filter_map(ruled).collect()
    }

    /// Services of the members of a group, found once; nothing where the source does not tell who listens.
    pub fn served(&self, group: &'a ResourceId) -> Option<Rc<Served>> {
        let listeners = self.listeners?;
        let all = || {
            let members = self.members(group);
            let services: Vec<&IndexSet<Service>> =
                members.iter().filter_map(|member| listeners.get(member.id)).collect();
            Rc::new(Served {
                is_whole: services.len() == members.len(),
                services: services.into_iter().flatten().copied().collect(),
                labels: listed(members.iter().map(|member| member.interface.label.as_str())),
            })
        };
        Some(self.served.borrow_mut().entry(group).or_insert_with(all).clone())
    }

    /// As [`Self::rules_of`], by an id from elsewhere.
    pub fn rules_of_any(&self, id: &ResourceId, direction: Direction) -> Vec<Ruled<'a>> {
        let known = self.account.groups.get_key_value(id);
        known.into_iter().flat_map(|(id, _)| self.rules_of(id, direction)).collect()
    }

    /// The rules of every group in one direction.
    pub fn rules_in(&self, direction: Direction) -> impl Iterator<Item = Ruled<'a>> {
        self.account.groups.keys().flat_map(move |id| self.rules_of(id, direction))
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = Ruled<'a>> {
        self.account.groups.keys().flat_map(|id| self.all_rules_of(id))
    }

    /// A rule by its position.
    pub fn ruled(&self, at: &RuleAt) -> Option<Ruled<'a>> {
        let (id, group) = self.account.groups.get_key_value(&at.group)?;
        let rule = self.rules_that_count(group, at.direction).get(at.index)?;
        Some(Ruled { id, group, direction: at.direction, index: at.index, rule })
    }

    /// Rules without which everybody reaches the same.
    pub fn carried(&self) -> &[Carried] {
        self.carried.get_or_init(|| carried(self.account))
    }

    /// Returns true for a group that EC2 makes itself.
    pub fn is_default(&self, group: &SecurityGroup) -> bool {
        group.name.as_deref() == Some(DEFAULT_GROUP)
    }

    /// The role of a group by its name.
    pub fn role(&self, group: &SecurityGroup) -> Option<Role> {
        let convention = &self.options.convention;
        group.name.as_deref().and_then(|name| convention.role(name)).or_else(|| convention.role(&group.label))
    }

    /// Blocks of the VPC of a group; none where it is not known.
    pub fn vpc_blocks(&self, group: &SecurityGroup) -> Vec<IpNet> {
        self.account.vpc_blocks(group.vpc.as_ref())
    }

    /// The interface that holds a private address in a group's VPC.
    pub fn private_holder(&self, address: IpAddr, group: &SecurityGroup) -> Option<Member<'a>> {
        self.private.get(&address)?.iter().find(|member| member.may_be_near(group)).copied()
    }

    /// The interface that a public address leads to.
    pub fn public_holder(&self, address: IpAddr) -> Option<Member<'a>> {
        self.public.get(&address).copied()
    }

    /// A group that has these members and no others; one that is a name comes first.
    pub fn group_of_exactly(&self, wanted: &IndexSet<&ResourceId>) -> Option<&'a SecurityGroup> {
        let (_, interface) = self.account.interfaces.get_key_value(*wanted.first()?)?;
        let is_exact = |id: &&ResourceId| {
            let members = self.members(id);
            members.len() == wanted.len() && members.iter().all(|member| wanted.contains(member.id))
        };
        let groups = interface.groups.known()?.iter().filter(is_exact).filter_map(|id| self.account.groups.get(id));
        groups.min_by_key(|group| (self.role(group) != Some(Role::Instance), self.is_default(group)))
    }

    /// Interfaces with an address in a block of a group's VPC; found once for each block.
    pub fn inside(&self, block: IpNet, group: &'a SecurityGroup) -> Rc<Inside<'a>> {
        let key = (block, group.vpc.as_ref());
        if let Some(known) = self.inside.borrow().get(&key) {
            return known.clone();
        }
        let all: Vec<Member<'a>> = self
            .private
            .range(block.network()..=block.broadcast())
            .flat_map(|(_, all)| all)
            .filter(|member| member.may_be_near(group))
            .copied()
            .collect();
        let members: IndexSet<&ResourceId> = all.iter().map(|member| member.id).collect();
        let labels = listed(all.iter().map(|member| member.interface.label.as_str()));
        let exact = self.group_of_exactly(&members);
        let found = Rc::new(Inside { members, labels, exact });
        self.inside.borrow_mut().insert(key, found.clone());
        found
    }

    /// A rule in the words of a topology.
    pub fn words(&self, ruled: &Ruled<'_>) -> String {
        rule_words(self.account, ruled.rule, ruled.direction)
    }

    pub fn of_rule(&self, ruled: &Ruled<'_>, message: impl Into<String>) -> Found {
        let words = self.words(ruled);
        let direction = ruled.direction;
        let at = RuleAt { group: ruled.id.clone(), direction: ruled.direction, index: ruled.index };
        let found =
            found(of(ruled.id, ruled.group), &ruled.rule.origin, format!("{direction} {words}"), Some(words), message);
        Found { at: Some(at), ..found }
    }

    pub fn of_group(&self, (id, group): (&ResourceId, &SecurityGroup), message: impl Into<String>) -> Found {
        found(of(id, group), &group.origin, String::new(), None, message)
    }

    pub fn of_interface(&self, interface: &Interface, message: impl Into<String>) -> Found {
        let about = About { kind: AboutKind::Interface, ..about(&interface.label, &interface.origin) };
        found(about, &interface.origin, interface.label.clone(), None, message)
    }

    pub fn of_item(&self, kind: &str, origin: &Origin, message: impl Into<String>) -> Found {
        let about = About { kind: AboutKind::Item, ..about(kind, origin) };
        let message = message.into();
        found(about, origin, message.clone(), None, message)
    }
}

fn about(label: &str, origin: &Origin) -> About {
    let resource = origin.resource.as_str().to_owned();
    About { kind: AboutKind::Group, label: label.to_owned(), resource, names: Vec::new() }
}

/// A group, by all its names.
fn of(id: &ResourceId, group: &SecurityGroup) -> About {
    let names = [Some(group.label.as_str()), group.name.as_deref(), Some(id.as_str())];
    let names = names.into_iter().flatten().map(str::to_owned).collect();
    About { names, ..about(&group.label, &group.origin) }
}

fn found(about: About, origin: &Origin, key: String, rule: Option<String>, message: impl Into<String>) -> Found {
    Found {
        about,
        rule,
        at: None,
        key,
        origin: origin.clone(),
        related: Vec::new(),
        level: None,
        message: message.into(),
        cure: Vec::new(),
    }
}

/// The name of whoever has an interface: `web1` of `web1.eth1`.
pub(super) fn holder(interface: &Interface) -> &str {
    interface.holder_and_device().0
}

/// `web1, web2 and 3 more`.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 4;
    let names: IndexSet<&str> = names.into_iter().collect();
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => "nobody".to_owned(),
        count if count > SHOWN + 1 => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}
