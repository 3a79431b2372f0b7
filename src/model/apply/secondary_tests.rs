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
