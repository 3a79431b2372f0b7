use crate::model::sample::*;
use crate::model::*;

fn holding(name: &str, address: AddressRequest, secondary: &[&str]) -> Operation {
    let Operation::Launch(request) = launch_at(name, &["G"], "default", address) else { panic!("a launch") };
    let secondary = secondary.iter().map(|word| word.parse().unwrap()).collect();
    Operation::Launch(Box::new(Launch { secondary, ..*request }))
}

fn sample(era: Era) -> Sample {
    Sample::new(era).group("G", &[])
}

fn held(sample: &Sample, name: &str) -> Vec<String> {
    let interface = &sample.0.instances[&InstanceName::new(name)].interfaces[0];
    interface.private_addresses().map(|address| address.to_string()).collect()
}

fn refusal(sample: &Sample, operation: &Operation) -> String {
    sample.try_apply(operation).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn secondary_addresses_stay_with_the_interface_and_go_with_it() {
    let launched = sample(Era::Vpc).with(holding("a", AddressRequest::Automatic, &["10.0.0.20", "10.0.0.32/28"]));
    let all = held(&launched, "a");
    assert_eq!(
        (all.len(), &all[..3], all[17].as_str()),
        (18, &["10.0.0.11", "10.0.0.20", "10.0.0.32"].map(String::from)[..], "10.0.0.47")
    );
    let restarted = launched.clone().with(stop("a")).with(start("a"));
    assert_eq!(held(&restarted, "a"), all);
    for taken in ["10.0.0.20", "10.0.0.40"] {
        let expected = format!("InvalidIPAddress.InUse: Address {taken} is in use.");
        assert_eq!(
            refusal(&launched.clone().with(stop("a")), &launch_at("b", &["G"], "default", exact(taken))),
            expected
        );
        assert_eq!(refusal(&launched, &holding("b", AddressRequest::Automatic, &[taken])), expected);
    }
    let next = launched.with(terminate("a")).with(holding("b", exact("10.0.0.40"), &["10.0.0.20"]));
    assert_eq!(held(&next, "b"), ["10.0.0.40", "10.0.0.20"]);
}

#[test]
fn an_automatic_address_is_none_that_somebody_has_beside_his_own() {
    let launched =
        sample(Era::Vpc).with(holding("a", AddressRequest::Automatic, &["10.0.0.11", "10.0.0.12", "10.0.0.16/28"]));
    assert_eq!(launched.private("a").unwrap().to_string(), "10.0.0.13");
    assert_eq!(launched.with(launch("b", &["G"])).private("b").unwrap().to_string(), "10.0.0.14");
}

#[test]
fn secondary_addresses_are_refused_in_ec2s_words() {
    let vpc = sample(Era::Vpc);
    let of = |secondary: &[&str]| refusal(&vpc, &holding("a", exact("10.0.0.50"), secondary));
    assert_eq!(
        of(&["10.1.0.5"]),
        "InvalidParameterValue: Address 10.1.0.5 does not fall within the subnet's address range"
    );
    assert_eq!(of(&["10.0.0.0/28"]), "InvalidParameterValue: Address 10.0.0.0 is in subnet's reserved address range");
    assert_eq!(of(&["10.0.0.50"]), "InvalidIPAddress.InUse: Address 10.0.0.50 is in use.");
    assert_eq!(
        of(&["10.0.0.32/28", "10.0.0.40"]),
        "InvalidParameterValue: Address 10.0.0.40 is assigned twice: 10.0.0.32/28 has it."
    );
    for era in [Era::Article, Era::Classic] {
        let expected = "InvalidParameterCombination: Instances of EC2-Classic have one private address.";
        assert_eq!(refusal(&sample(era), &holding("a", AddressRequest::Automatic, &["10.0.0.20"])), expected);
    }
}

/// VPC `default` with the block of the documentation, and its one subnet with a block of that or none.
fn dual(subnet: bool) -> Sample {
    let mut sample = sample(Era::Vpc);
    let vpc = &mut sample.0.vpcs[0];
    vpc.ipv6 = Some(DEFAULT_IPV6_BLOCK);
    if subnet {
        vpc.ipv6_subnets.insert(SubnetName::new("default"), "2001:db8:1000::/64".parse().unwrap());
    }
    sample
}

fn by_ipv6(name: &str, ipv6: AskedIpv6, secondary: &[&str]) -> Operation {
    let Operation::Launch(request) = holding(name, AddressRequest::Automatic, secondary) else { panic!("a launch") };
    Operation::Launch(Box::new(Launch { ipv6, ..*request }))
}

fn exactly(address: &str) -> AskedIpv6 {
    AskedIpv6::Exact(Ipv6(address.parse().unwrap()))
}

fn held_ipv6(sample: &Sample, name: &str) -> Vec<String> {
    sample.0.instances[&InstanceName::new(name)].interfaces[0].ipv6_blocks().map(|block| block.to_string()).collect()
}

#[test]
fn an_interface_has_ipv6_where_its_subnet_has_a_block_and_it_is_to_have_one() {
    let with = dual(true);
    let of = |asked, further: &[&str]| held_ipv6(&with.clone().with(by_ipv6("a", asked, further)), "a");
    assert_eq!(of(AskedIpv6::Automatic, &[]), ["2001:db8:1000::11/128"]);
    assert_eq!(of(AskedIpv6::None, &[]), [""; 0]);
    assert_eq!(of(exactly("2001:db8:1000::a5"), &[]), ["2001:db8:1000::a5/128"]);
    let all = ["2001:db8:1000::5", "2001:db8:1000:0:1::/80"];
    let expected = ["2001:db8:1000::11/128", "2001:db8:1000::5/128", "2001:db8:1000:0:1::/80"];
    assert_eq!(of(AskedIpv6::Automatic, &all), expected);
    let restarted = with.with(by_ipv6("a", AskedIpv6::Automatic, &all)).with(stop("a")).with(start("a"));
    assert_eq!(held_ipv6(&restarted, "a"), expected);
    assert_eq!(held_ipv6(&dual(false).with(by_ipv6("a", AskedIpv6::Automatic, &[])), "a"), [""; 0]);
}

#[test]
fn an_automatic_ipv6_address_is_none_that_somebody_has_or_that_the_file_asks_for() {
    let taken =
        dual(true).with(by_ipv6("a", AskedIpv6::None, &[])).with(by_ipv6("b", exactly("2001:db8:1000::13"), &[]));
    let next = taken.clone().with(by_ipv6("c", AskedIpv6::Automatic, &[]));
    assert_eq!(held_ipv6(&next, "c"), ["2001:db8:1000::1:0:13/128"]);
    let mut asked = dual(true);
    asked.0.counters.ipv6.insert("2001:db8:1000::11/128".parse().unwrap());
    assert_eq!(held_ipv6(&asked.with(by_ipv6("a", AskedIpv6::Automatic, &[])), "a"), ["2001:db8:1000::1:0:11/128"]);
}

#[test]
fn ipv6_addresses_are_refused_in_ec2s_words() {
    let vpc = dual(true).with(by_ipv6("a", exactly("2001:db8:1000::5"), &["2001:db8:1000:0:1::/80"]));
    let of = |asked, further: &[&str]| refusal(&vpc, &by_ipv6("b", asked, further));
    let outside = "InvalidParameterValue: Address 2001:db8:1001::5 does not fall within the subnet's address range";
    assert_eq!(of(exactly("2001:db8:1001::5"), &[]), outside);
    assert_eq!(of(AskedIpv6::Automatic, &["2001:db8:1001::5"]), outside);
    let reserved = "InvalidParameterValue: Address 2001:db8:1000::3 is in subnet's reserved address range";
    assert_eq!(of(exactly("2001:db8:1000::3"), &[]), reserved);
    for taken in ["2001:db8:1000::5", "2001:db8:1000:0:1::7"] {
        let expected = format!("InvalidIPAddress.InUse: Address {taken} is in use.");
        assert_eq!(of(exactly(taken), &[]), expected);
        assert_eq!(of(AskedIpv6::Automatic, &[taken]), expected);
    }
    assert!(of(AskedIpv6::Automatic, &["2001:db8:1000:0:1::/80"]).starts_with("InvalidIPAddress.InUse"));
    assert!(of(exactly("2001:db8:1000:0:2::1"), &["2001:db8:1000:0:2::/80"]).starts_with("InvalidIPAddress.InUse"));
    let none = refusal(&dual(false), &by_ipv6("b", exactly("2001:db8:1000::5"), &[]));
    assert_eq!(none, outside.replace("1001", "1000"));
}
