//! Pictures of who reaches whom: what stands in which box and lane, and that names are no syntax.

use sglab::graph::{BoxKind, Drawing, Member, MemberState, NodeBox, Picture, dot, mermaid, svg};
use sglab::import::account_of;
use sglab::topology::Topology;

fn picture(file: &str) -> Picture {
    let topology = Topology::parse_cloud("shop.yaml", file.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud =
        topology.initial_cloud(topology.eras[0]).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
    Picture::new(&account_of(&cloud, "shop.yaml"))
}

const SHOP: &str = "sglab: 1
era: vpc
groups:
  lb: [tcp 443 from anywhere]
  web: [tcp 8080 from lb]
  db: [tcp 5432 from web]
  idle: []
instances:
  lb1: {groups: lb}
  web1: {groups: web}
  web2: {groups: web}
  web10: {groups: web}
  db1: {groups: db}
";

fn x_of(svg: &str, title: &str) -> i32 {
    let at = svg.find(&format!(">{title}</text>")).unwrap_or_else(|| panic!("{title} in {svg}"));
    let x = svg[..at].rfind(" x=\"").unwrap() + 4;
    svg[x..].split('"').next().unwrap().parse().unwrap()
}

#[test]
fn lanes_go_from_outside_inwards() {
    let drawn = svg(&picture(SHOP), "shop");
    let lanes = ["anywhere", "lb", "web · 3", "db", "idle"].map(|title| x_of(&drawn, title));
    assert!(lanes.windows(2).all(|pair| pair[0] < pair[1]), "{lanes:?}");
}

#[test]
fn members_of_a_group_are_one_box_and_an_arrow_has_its_ports() {
    let picture = picture(SHOP);
    let web = picture.boxes.iter().find(|one| one.title == "web").unwrap();
    let names: Vec<&str> = web.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "web10"]);
    assert_eq!(web.kind, BoxKind::Members);
    let title = |index: usize| picture.boxes[index].title.as_str();
    let arrows: Vec<String> = picture
        .arrows
        .iter()
        .map(|arrow| format!("{} {} {}", title(arrow.from), arrow.traffic.join(","), title(arrow.to)))
        .collect();
    assert_eq!(arrows, ["anywhere 443 lb", "lb 8080 web", "web 5432 db"]);
}

#[test]
fn what_is_stopped_is_drawn_as_stopped() {
    let reply = r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "IpPermissions": [], "IpPermissionsEgress": []},
        {"GroupId": "sg-2", "GroupName": "old", "IpPermissions": [], "IpPermissionsEgress": []}],
        "Reservations": [{"Instances": [
            {"InstanceId": "i-1", "State": {"Name": "running"}, "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}]}]},
            {"InstanceId": "i-2", "State": {"Name": "stopped"}, "NetworkInterfaces": [{"NetworkInterfaceId": "eni-2", "Groups": [{"GroupId": "sg-1"}]}]},
            {"InstanceId": "i-3", "State": {"Name": "stopped"}, "NetworkInterfaces": [{"NetworkInterfaceId": "eni-3", "Groups": [{"GroupId": "sg-2"}]}]}]}]}"#;
    let text = sglab::import::Text { name: "dump.json".into(), text: reply.into() };
    let picture = Picture::new(&sglab::import::read(&[text], None).unwrap_or_else(|faults| panic!("{faults}")));
    let drawn = svg(&picture, "t");
    assert!(drawn.contains(">i-1</text>") && drawn.contains(">i-2 (stopped)</text>"), "{drawn}");
    assert_eq!(drawn.matches("class=\"member off\"").count(), 2, "{drawn}");
    assert_eq!(drawn.matches("class=\"box stopped\"").count(), 1, "only the box in which all are stopped: {drawn}");
    assert!(dot(&picture, "t").contains("i-3 (stopped)\", fontcolor"), "{}", dot(&picture, "t"));
    assert!(mermaid(&picture).unwrap().contains("i-2 (stopped)"));
}

/// EC2 allows it in names, and `+` also joins the names of several groups.
#[test]
fn a_group_whose_name_has_a_plus_is_one_group_and_not_those_of_its_parts() {
    let rule = |group: &str| {
        format!(
            r#"[{{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{{"GroupId": "{group}"}}]}}]"#
        )
    };
    let group = |id: &str, name: &str, rules: &str| {
        format!(
            r#"{{"GroupId": "{id}", "GroupName": "{name}", "IpPermissions": {rules}, "IpPermissionsEgress": [{{"IpProtocol": "-1",
            "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}]}}]}}"#
        )
    };
    let instance = |number: usize, group: &str| {
        format!(
            r#"{{"InstanceId": "i-{number}", "State": {{"Name": "running"}}, "NetworkInterfaces": [{{"NetworkInterfaceId":
            "eni-{number}", "Groups": [{{"GroupId": "{group}"}}]}}]}}"#
        )
    };
    let groups = [
        group("sg-1", "a", "[]"),
        group("sg-2", "b", "[]"),
        group("sg-3", "a+b", "[]"),
        group("sg-4", "db", &rule("sg-3")),
    ];
    let instances = ["sg-1", "sg-2", "sg-3", "sg-4"].iter().enumerate().map(|(number, id)| instance(number, id));
    let reply = format!(
        r#"{{"SecurityGroups": [{}], "Reservations": [{{"Instances": [{}]}}]}}"#,
        groups.join(","),
        instances.collect::<Vec<_>>().join(",")
    );
    let text = sglab::import::Text { name: "dump.json".into(), text: reply.into() };
    let picture = Picture::new(&sglab::import::read(&[text], None).unwrap_or_else(|faults| panic!("{faults}")));
    let title = |index: usize| picture.boxes[index].title.as_str();
    let to_db = picture.arrows.iter().filter(|arrow| title(arrow.to) == "db");
    let senders: Vec<&str> = to_db.map(|arrow| title(arrow.from)).collect();
    assert_eq!(senders, ["a+b"]);
}

#[test]
fn the_same_cloud_gives_the_same_picture() {
    assert_eq!(svg(&picture(SHOP), "shop"), svg(&picture(SHOP), "shop"));
}

#[test]
fn a_hostile_title_is_text_in_every_format() {
    let hostile = "\"><script>alert(1)</script>";
    let drawn = [svg(&picture(SHOP), hostile), dot(&picture(SHOP), hostile)];
    assert!(!drawn[0].contains("<script>"), "{}", drawn[0]);
    assert!(drawn[1].contains("\\\"><script>"), "{}", drawn[1]);
    let flow = mermaid(&picture(SHOP)).unwrap();
    assert!(flow.starts_with("flowchart LR\n  n0"), "{flow}");
}

/// Applications of five tiers, each of ten instances, which a bastion administers and a monitor asks; and a mesh of services.
fn large() -> String {
    let (mut groups, mut instances) = (String::new(), String::new());
    let mut group = |name: &str, rules: &str, also: &str, count: usize| {
        groups += &format!("  {name}: [{rules}]\n");
        for number in 1..=count {
            instances += &format!("  {name}-{number}: {{groups: [{name}{also}]}}\n");
        }
    };
    group("bastion", "tcp 22 from 203.0.113.10", "", 1);
    group("monitor", "", "", 1);
    group("base", "tcp 22 from bastion, tcp 9100 from monitor", "", 0);
    for app in 0..3 {
        let before =
            |tier: &str| format!("tcp 8000-8010 from {tier}{app}, tcp 9000 from {tier}{app}, udp 53 from {tier}{app}");
        group(&format!("lb{app}"), "tcp 443 from anywhere, tcp 80 from anywhere", ", base", 10);
        for (tier, from) in [("web", "lb"), ("app", "web"), ("cache", "app"), ("db", "app")] {
            group(&format!("{tier}{app}"), &before(from), ", base", 10);
        }
    }
    let services: Vec<String> = (0..9).map(|number| format!("svc{number}")).collect();
    let mesh: Vec<String> = services.iter().map(|name| format!("tcp 7000 from {name}")).collect();
    services.iter().for_each(|name| group(name, &mesh.join(", "), "", 5));
    format!("sglab: 1\nera: vpc\nknobs: {{quotas: ignored}}\ngroups:\n{groups}instances:\n{instances}")
}

#[test]
fn who_reaches_most_boxes_is_told_in_words_and_so_is_a_mesh() {
    let picture = picture(&large());
    let lines = |title: &str| {
        let one = picture.boxes.iter().find(|one| one.title == title).unwrap_or_else(|| panic!("{title}"));
        one.lines().iter().map(|line| line.words().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines("bastion")[..2], ["bastion-1", "22 to 15 boxes"]);
    let web = ["web0-1, web0-2 and 8 more", "22 from bastion", "9100 from monitor", "out: all to anywhere"];
    assert_eq!(lines("web0 + base"), web);
    let service = ["7000 from svc0 and 7 more", "7000 among themselves", "7000 to 8 boxes", "out: all to anywhere"];
    assert_eq!(lines("svc3")[1..], service);
    // What is left to follow: three arrows from outside and twelve between tiers, and one for the bastion.
    assert_eq!(picture.arrows.len(), 16);
    assert_eq!(picture.told.len(), 15 * 2 + 9 * 9);
}

/// Left, top, right, bottom of the texts of a picture, by the widest letters of its font.
fn texts(svg: &str) -> Vec<([f64; 4], &str)> {
    let number = |tag: &str, key: &str| -> f64 {
        let at = tag.find(&format!(" {key}=\"")).unwrap_or_else(|| panic!("{key} in {tag}")) + key.len() + 3;
        tag[at..].split('"').next().unwrap().parse().unwrap()
    };
    svg.split("<text")
        .skip(1)
        .map(|part| {
            let (tag, rest) = part.split_once('>').unwrap();
            let words = rest.split("</text>").next().unwrap();
            let (x, y) = (number(tag, "x"), number(tag, "y"));
            let width = words.chars().count() as f64 * 6.2;
            let left = if tag.contains("middle") { x - width / 2.0 } else { x };
            ([left, y - 10.0, left + width, y + 2.0], words)
        })
        .collect()
}

#[test]
fn no_text_of_a_large_picture_stands_on_another() {
    let drawn = svg(&picture(&large()), "large");
    let all = texts(&drawn);
    assert!(all.len() > 150, "{}", all.len());
    for (index, (one, words)) in all.iter().enumerate() {
        for (other, others) in &all[index + 1..] {
            let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
            assert!(apart, "`{words}` at {one:?} and `{others}` at {other:?}");
        }
    }
}

/// Pictures of four to thirteen boxes with any arrows between them.
fn some_pictures() -> Vec<Picture> {
    let mut seed = 7_u64;
    let mut below = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((seed >> 33) % bound).unwrap()
    };
    let member = |number: usize| Member {
        name: format!("instance-{number}"),
        others: Vec::new(),
        detail: Some("10.0.200.111".to_owned()),
        state: MemberState::Running,
    };
    (0..60)
        .map(|_| {
            let boxes = 4 + below(10);
            let kind = |index: usize| if index < 2 { BoxKind::Outside } else { BoxKind::Members };
            let made = (0..boxes).map(|index| NodeBox {
                title: format!("SG-T-TIER-{index}"),
                kind: kind(index),
                members: (0..below(7)).map(member).collect(),
                outward: Vec::new(),
                inward: Vec::new(),
                reaching: Vec::new(),
            });
            let made: Vec<NodeBox> = made.collect();
            let mut pairs: Vec<(usize, usize)> =
                (0..below(16)).map(|_| (below(boxes as u64), 2 + below(boxes as u64 - 2))).collect();
            pairs.sort_unstable();
            pairs.dedup();
            let traffic =
                |(from, to): (usize, usize)| (from, to, (0..=to % 4).map(|port| format!("{}", 8000 + port)).collect());
            Picture::of(made, pairs.into_iter().map(traffic).collect::<Vec<_>>())
        })
        .collect()
}

/// Points of a path of `M`, `C` and `L`, close to each other.
fn points(path: &str) -> Vec<(f64, f64)> {
    let (mut points, mut at) = (Vec::new(), (0.0, 0.0));
    let commands: Vec<&str> = path.split_inclusive(|c: char| c.is_ascii_digit() || c == ' ' || c == '-').collect();
    let text = commands.concat().replace(['M', 'C', 'L'], " # ");
    for (number, part) in text.split('#').skip(1).enumerate() {
        let all: Vec<f64> = part.split_whitespace().map(|it| it.parse().unwrap()).collect();
        match *all.as_slice() {
            [x, y] if number == 0 => at = (x, y),
            [x, y] => {
                points.extend(
                    (0..=40).map(|step| f64::from(step) / 40.0).map(|t| (at.0 + (x - at.0) * t, at.1 + (y - at.1) * t)),
                );
                at = (x, y);
            }
            [a, b, c, d, x, y] => {
                let on = |p: f64, q: f64, r: f64, s: f64, t: f64| {
                    let u = 1.0 - t;
                    u * u * u * p + 3.0 * u * u * t * q + 3.0 * u * t * t * r + t * t * t * s
                };
                points.extend(
                    (0..=80).map(|step| f64::from(step) / 80.0).map(|t| (on(at.0, a, c, x, t), on(at.1, b, d, y, t))),
                );
                at = (x, y);
            }
            _ => panic!("{path}"),
        }
    }
    points
}

#[test]
fn no_arrow_crosses_a_box_and_no_words_stand_on_a_box_or_on_others() {
    for (number, picture) in [picture(SHOP), picture(&large())].into_iter().chain(some_pictures()).enumerate() {
        let drawing = Drawing::new(&picture);
        for arrow in &drawing.arrows {
            for (x, y) in points(&arrow.path) {
                let is_in = |one: &&sglab::graph::DrawnBox| {
                    let (left, top) = (f64::from(one.x) + 1.0, f64::from(one.y) + 1.0);
                    x > left
                        && x < left + f64::from(one.width) - 2.0
                        && y > top
                        && y < top + f64::from(one.height) - 2.0
                };
                let crossed = drawing.boxes.iter().find(is_in);
                assert!(
                    crossed.is_none(),
                    "picture {number}: {} crosses {:?} at {x} {y}",
                    arrow.whole,
                    crossed.unwrap().head.text
                );
                let is_out = x < 0.0 || y < 0.0 || x > f64::from(drawing.width) || y > f64::from(drawing.height);
                assert!(!is_out, "picture {number}: {} is out of it at {x} {y}", arrow.whole);
            }
        }
        let rects = drawing.labels.iter().map(|label| {
            let half = i32::try_from(label.words.text.chars().count()).unwrap() * 33 / 10;
            ([label.words.x - half, label.words.y - 11, label.words.x + half, label.words.y + 3], &label.words.text)
        });
        let boxes =
            drawing.boxes.iter().map(|one| ([one.x, one.y, one.x + one.width, one.y + one.height], &one.head.text));
        let (rects, boxes): (Vec<_>, Vec<_>) = (rects.collect(), boxes.collect());
        for (index, (one, words)) in rects.iter().enumerate() {
            for (other, others) in rects[index + 1..].iter().chain(&boxes) {
                let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
                assert!(apart, "picture {number}: `{words}` at {one:?} and `{others}` at {other:?}");
            }
        }
    }
}

#[test]
fn what_stands_in_a_box_has_room_in_it() {
    let mut picture = Picture::default();
    let member =
        |name: &str| Member { name: name.to_owned(), others: Vec::new(), detail: None, state: MemberState::Running };
    for (members, lines) in [
        (vec!["web1", "web2", "web3", "web4", "web5"], vec!["web1, web2 and 3 more"]),
        (vec!["i-0123456789abcdef0123", "b", "c", "d", "e"], vec!["i-01234…def0123 and 4 more"]),
        (vec!["a-name-that-is-much-longer-than-a-box-has-room-for"], vec![]),
    ] {
        let members = members.into_iter().map(member).collect();
        let title = "groups + of + somebody + who + has + many + of + them".to_owned();
        picture.boxes =
            vec![NodeBox { title, kind: BoxKind::Members, members, outward: vec![], inward: vec![], reaching: vec![] }];
        let drawn = &Drawing::new(&picture).boxes[0];
        let said: Vec<&str> = drawn.lines.iter().map(|line| line.words.text.as_str()).collect();
        assert!(lines.is_empty() || said == lines, "{said:?}");
        assert!(said.iter().chain([&drawn.head.text.as_str()]).all(|it| it.chars().count() < 35), "{drawn:?}");
        assert!(lines.is_empty() || drawn.head.text.ends_with("… · 5"), "{}", drawn.head.text);
    }
}

#[test]
fn what_is_not_known_is_drawn_as_such_and_counted() {
    let reply = r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "IpPermissionsEgress": [], "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}]}]}"#;
    let text = sglab::import::Text { name: "groups.json".into(), text: reply.into() };
    let picture = Picture::new(&sglab::import::read(&[text], None).unwrap());
    assert_eq!((picture.unknown, picture.arrows.len()), (1, 2));
    let drawn = [svg(&picture, "shop"), dot(&picture, "shop"), mermaid(&picture).unwrap()];
    for (text, dashed) in drawn.iter().zip(["class=\"arrow from-outside perhaps\"", "style=dashed]", "-.->|\"? 22\"|"])
    {
        assert!(text.contains(dashed) && text.contains("? 22"), "{text}");
        assert!(text.contains("; ? 1 passage is not known"), "{text}");
    }
}
