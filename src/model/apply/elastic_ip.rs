//! Elastic IPs: allocate, associate, move, disassociate, release.
//!
//! Sources: "Elastic IP addresses" (EC2 user guide, and its edition of 2018 for EC2-Classic), AssociateAddress and
//! ReleaseAddress (EC2 API reference).

use super::edit::Edit;
use super::lookup;
use super::lookup::{refuse, unknown};
use super::{address, interface, quota};
use crate::model::address::PublicIp;
use crate::model::cloud::{Cloud, ElasticIp, InstanceState};
use crate::model::interface::AutomaticPublic;
use crate::model::interface_id::Attachment;
use crate::model::name::ElasticIpName;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::{Reassociation, Target};

/// `AllocateAddress`. It is one that nobody ever had.
pub(in crate::model) fn allocate(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    if cloud.elastic_ips.contains_key(name) {
        // EC2 knows no names; the text is sglab's own.
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("There is an Elastic IP '{name}' already.")));
    }
    quota::elastic_ips(cloud)?;
    let address = address::public(cloud)?;
    let allocation = cloud.next_id(&[name.as_str()]);
    cloud.elastic_ips_mut().insert(name.clone(), ElasticIp { allocation, address, association: None });
    Ok(())
}

/// `AssociateAddress`; doing it again changes nothing.
///
/// In EC2-Classic the instance has to run; in a VPC the address belongs to the interface, and waits for the start.
pub(in crate::model) fn associate(
    cloud: &mut Edit<'_>,
    name: &ElasticIpName,
    to: &Target,
    reassociation: Reassociation,
) -> Result<(), Refusal> {
    let elastic = known(cloud, name)?.clone();
    let holder = to.instance();
    if !cloud.is_vpc() && lookup::instance(cloud, holder)?.state != InstanceState::Running {
        let message = format!("The instance '{holder}' is not in a valid state for this operation.");
        return Err(refuse(RefusalCode::IncorrectInstanceState, message));
    }
    let interface = interface::target(cloud, to)?;
    if elastic.association.as_ref() == Some(&interface) {
        return Ok(());
    }
    if let (Some(other), Reassociation::Refused) = (&elastic.association, reassociation) {
        let message = format!("resource {name} is already associated with associate-id {other}");
        return Err(refuse(RefusalCode::ResourceAlreadyAssociated, message));
    }
    disassociate(cloud, name)?;
    let earlier = cloud.elastic_ip_of(&interface).map(|(name, _)| name.clone());
    if let Some(earlier) = earlier.and_then(|earlier| cloud.elastic_ips_mut().get_mut(&earlier)) {
        earlier.association = None;
    }
    if let Some(elastic) = cloud.elastic_ips_mut().get_mut(name) {
        elastic.association = Some(interface.clone());
    }
    // The automatic one goes back to the pool.
    set_public(cloud, &interface, Some(elastic.address));
    Ok(())
}

/// `DisassociateAddress`. What is up gets an automatic public address in its place, unless a crash has taken its private
/// one, which is what a public address stands for; doing it again changes nothing.
pub(in crate::model) fn disassociate(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    known(cloud, name)?;
    let association = cloud.elastic_ips_mut().get_mut(name).and_then(|elastic| elastic.association.take());
    let Some(interface) = association else { return Ok(()) };
    let alone = interface::is_up(cloud, &interface.instance) && interface::is_single(cloud, &interface.instance);
    let automatic =
        cloud.attached(&interface).is_some_and(|i| i.automatic_public == AutomaticPublic::Given && i.private.is_some());
    let public = if alone && automatic { Some(address::public(cloud)?) } else { None };
    set_public(cloud, &interface, public);
    Ok(())
}

/// `ReleaseAddress`. An associated one is dissociated first, as in EC2-Classic and in a default VPC.
pub(in crate::model) fn release(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    disassociate(cloud, name)?;
    cloud.elastic_ips_mut().remove(name);
    Ok(())
}

/// An Elastic IP by its name. EC2-Classic knows it by its address, a VPC by the id of its allocation.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &ElasticIpName) -> Result<&'a ElasticIp, Refusal> {
    cloud.elastic_ips.get(name).ok_or_else(|| match cloud.is_vpc() {
        true => {
            let message = format!("The allocation ID '{name}' does not exist");
            unknown(RefusalCode::InvalidAllocationIdNotFound, name, message)
        }
        false => unknown(RefusalCode::InvalidAddressNotFound, name, format!("Address '{name}' not found.")),
    })
}

fn set_public(cloud: &mut Edit<'_>, id: &Attachment, public: Option<PublicIp>) {
    let Some(interface) = interface::mutable(cloud, id) else { return };
    if let Some(lost) = std::mem::replace(&mut interface.public, public) {
        cloud.last_public_mut().insert(id.clone(), lost);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::sample::*;
    use crate::model::*;

    fn sample(era: Era) -> Sample {
        Sample::new(era)
            .group("g", &[])
            .instance("a", &["g"])
            .instance("b", &["g"])
            .with(allocate("e"))
            .with(allocate("f"))
    }

    fn elastic(sample: &Sample, name: &str) -> PublicIp {
        sample.0.elastic_ips[&ElasticIpName::new(name)].address
    }

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        match sample.try_apply(operation) {
            Ok(_) => panic!("{operation:?} was carried out"),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn an_elastic_ip_takes_the_place_of_the_automatic_address_and_gives_way_to_a_new_one() {
        for era in Era::ALL {
            let before = sample(era);
            let automatic = before.public("a");
            let with = before.with(associate("e", "a"));
            assert_eq!(with.public("a"), Some(elastic(&with, "e")));
            let without = with.clone().with(disassociate("e"));
            assert!(without.public("a").is_some());
            assert!(![automatic, with.public("a")].contains(&without.public("a")), "a new one: {era}");
            assert_eq!(without.clone().with(disassociate("e")).0, without.0, "again is no error");
        }
    }

    #[test]
    fn it_moves_without_a_word_unless_that_is_not_allowed() {
        let on_a = sample(Era::Vpc).with(associate("e", "a"));
        let forbidden = Operation::AssociateAddress {
            elastic_ip: ElasticIpName::new("e"),
            to: Target::Instance(InstanceName::new("b")),
            reassociation: Reassociation::Refused,
        };
        let expected = "Resource.AlreadyAssociated: resource e is already associated with associate-id a.eth0";
        assert_eq!(refusal(&on_a, &forbidden), expected);
        let on_b = on_a.with(associate("e", "b"));
        assert_eq!(on_b.public("b"), Some(elastic(&on_b, "e")));
        assert_ne!(on_b.public("a"), on_b.public("b"));
        assert!(on_b.public("a").is_some(), "a has an automatic one again");
        assert_eq!(on_b.try_apply(&forbidden).unwrap().0, on_b.0, "it is b's already");
    }

    #[test]
    fn an_instance_has_one_and_the_earlier_stays_allocated() {
        let sample = sample(Era::Vpc).with(associate("e", "a")).with(associate("f", "a"));
        assert_eq!(sample.public("a"), Some(elastic(&sample, "f")));
        assert_eq!(sample.0.elastic_ips[&ElasticIpName::new("e")].association, None);
        assert_eq!(sample.0.elastic_ips.len(), 2);
    }

    #[test]
    fn on_a_stop_it_stays_or_is_dissociated_as_the_era_has_it() {
        for (era, stays) in [(Era::Article, true), (Era::Classic, false), (Era::Vpc, true)] {
            let stopped = sample(era).with(associate("e", "a")).with(stop("a"));
            let address = elastic(&stopped, "e");
            assert_eq!(stopped.public("a"), stays.then_some(address), "{era}");
            let started = stopped.with(start("a"));
            assert_eq!(started.public("a") == Some(address), stays, "{era}");
            assert!(started.public("a").is_some(), "{era}");
        }
        let mut kept = sample(Era::Classic);
        kept.0.knobs.elastic_ip_on_stop = ElasticIpOnStop::Stays;
        let kept = kept.with(associate("e", "a")).with(stop("a")).with(start("a"));
        assert_eq!(kept.public("a"), Some(elastic(&kept, "e")), "the knob by itself");
    }

    #[test]
    fn a_terminated_instance_leaves_it_allocated_and_a_released_one_is_never_given_again() {
        let sample = sample(Era::Vpc).with(associate("e", "a"));
        let address = elastic(&sample, "e");
        let without = sample.with(terminate("a"));
        assert_eq!(without.0.elastic_ips[&ElasticIpName::new("e")].association, None);
        let released = without.with(associate("e", "b")).with(release("e"));
        assert_ne!(released.public("b"), Some(address), "an associated one is dissociated first");
        let again = released.with(allocate("e")).instance("c", &["g"]);
        assert_ne!(elastic(&again, "e"), address);
        assert_ne!(again.public("c"), Some(address));
    }

    #[test]
    fn a_sixth_elastic_ip_is_refused() {
        for era in Era::ALL {
            let five = ["g", "h", "i"].iter().fold(sample(era), |sample, name| sample.with(allocate(name)));
            let exceeded = match era {
                Era::Vpc => "AddressLimitExceeded: The maximum number of addresses has been reached.",
                Era::Article | Era::Classic => "AddressLimitExceeded: Too many addresses allocated",
            };
            assert_eq!(refusal(&five, &allocate("j")), exceeded, "{era}");
            assert!(five.with(release("e")).try_apply(&allocate("j")).is_ok());
        }
    }

    #[test]
    fn classic_associates_with_what_runs_and_a_vpc_with_what_is_stopped_too() {
        for era in [Era::Article, Era::Classic] {
            let stopped = sample(era).with(stop("a"));
            assert!(refusal(&stopped, &associate("e", "a")).starts_with("IncorrectInstanceState: "), "{era}");
        }
        let stopped = sample(Era::Vpc).with(stop("a")).with(associate("e", "a"));
        assert_eq!(stopped.public("a"), Some(elastic(&stopped, "e")));
        let without = stopped.clone().with(disassociate("e"));
        assert_eq!(without.public("a"), None, "no automatic one while it is stopped");
        assert_eq!(stopped.clone().with(start("a")).public("a"), Some(elastic(&stopped, "e")));
    }

    #[test]
    fn who_crashed_and_lost_its_addresses_gets_no_automatic_one_in_place_of_an_elastic_ip() {
        for (era, kept) in [(Era::Article, false), (Era::Classic, true), (Era::Vpc, true)] {
            let crashed = sample(era).with(associate("e", "a")).with(crash("a"));
            assert_eq!(crashed.public("a"), Some(elastic(&crashed, "e")), "{era}");
            for without in [disassociate("e"), release("e"), associate("e", "b")] {
                let without = crashed.clone().with(without);
                assert_eq!(without.private("a").is_some(), kept, "{era}");
                assert_eq!(without.public("a").is_some(), kept, "a public address is that of a private one: {era}");
                assert!(without.with(start("a")).public("a").is_some(), "{era}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for (era, unknown) in [
            (Era::Vpc, "InvalidAllocationID.NotFound: The allocation ID 'none' does not exist"),
            (Era::Classic, "InvalidAddress.NotFound: Address 'none' not found."),
        ] {
            for operation in [associate("none", "a"), disassociate("none"), release("none")] {
                assert_eq!(refusal(&sample(era), &operation), unknown);
            }
        }
        let sample = sample(Era::Vpc);
        assert!(refusal(&sample, &associate("e", "none")).starts_with("InvalidInstanceID.NotFound: "));
        assert_eq!(refusal(&sample, &allocate("e")), "InvalidParameterValue: There is an Elastic IP 'e' already.");
    }

    #[test]
    fn an_instance_may_do_without_a_public_address() {
        let mut request = launch("c", &["g"]);
        let Operation::Launch(launch) = &mut request else { panic!("a launch") };
        launch.public = AutomaticPublic::None;
        let sample = sample(Era::Vpc).with(request);
        assert_eq!(sample.public("c"), None);
        assert_eq!(sample.clone().with(stop("c")).with(start("c")).public("c"), None);
        let with = sample.with(associate("e", "c"));
        assert!(with.public("c").is_some());
        assert_eq!(with.with(disassociate("e")).public("c"), None);
    }

    #[test]
    fn a_rule_may_name_one_and_means_its_address() {
        let mut named = permission("tcp 22 from placeholder");
        named.peers = vec![(PeerRequest::ElasticIp(ElasticIpName::new("e")), "tcp 22 from e".to_owned())];
        let sample = sample(Era::Classic).with(Operation::AuthorizeIngress(GroupName::new("g"), vec![named]));
        let expected = format!("{}/32", elastic(&sample, "e"));
        assert_eq!(sample.0.groups[0].ingress[0].peer, Peer::Cidr(expected.parse().unwrap()));
    }
}
