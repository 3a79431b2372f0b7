//! Pictures of who reaches whom: what stands in which box and lane, and that names are no syntax.

use sglab::graph::{BoxKind, Picture, dot, mermaid, svg};
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
    let names: Vec<&str> = web.members.iter().map(|(name, _)| name.as_str()).collect();
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
