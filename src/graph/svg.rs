//! A picture as SVG: readable without script, light and dark.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Write;

use super::layout::{HEAD, LANE_GAP, LINE, Layout, Place, WIDTH, layout};
use super::picture::{Arrow, ArrowKind, BoxKind, Line, Picture};
use crate::model::shown;

/// Longest text in a box, in characters.
const MAX_TEXT: usize = 34;

/// Longest text at an arrow: what has room between two lanes.
const MAX_LABEL: usize = 24;

/// Of more arrows, words may stand on each other: to part them takes too long.
const MAX_LABELS: usize = 400;

const STYLE: &str = "
  svg { color-scheme: light dark; }
  .page { fill: #ffffff; } .box { fill: #f6f8fa; stroke: #8c959f; } .outside { fill: #fff8c5; stroke: #bf8700; }
  .balancer { fill: #ddf4ff; stroke: #0969da; } .empty { fill: none; stroke: #8c959f; stroke-dasharray: 5 4; }
  .stopped { fill-opacity: 0.4; stroke-opacity: 0.5; } .off { fill-opacity: 0.6; font-style: italic; }
  .title { fill: #1f2328; font-weight: 600; } text { fill: #424a53; font: 13px ui-sans-serif, system-ui, sans-serif; }
  .faint { fill: #656d76; font-size: 12px; } .traffic { fill: #0550ae; font-size: 12px; } .outside-words { fill: #cf222e; } .arrow { fill: none; stroke: #57606a; stroke-width: 1.5; }
  .from-outside { stroke: #cf222e; } .wide { stroke-opacity: 0.35; } .perhaps { stroke-dasharray: 6 4; } .head { fill: #57606a; } .outside-head { fill: #cf222e; }
  .label { fill: #1f2328; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .box { fill: #161b22; stroke: #6e7681; } .outside { fill: #272115; stroke: #d29922; }
    .balancer { fill: #0c2d6b; stroke: #58a6ff; } .title { fill: #f0f6fc; } text { fill: #c9d1d9; } .faint { fill: #8b949e; } .traffic { fill: #79c0ff; } .outside-words { fill: #ff7b72; }
    .arrow { stroke: #8b949e; } .from-outside { stroke: #ff7b72; } .head { fill: #8b949e; } .outside-head { fill: #ff7b72; }
    .label { fill: #f0f6fc; stroke: #0d1117; }
  }
";

/// Draws it; `title` is told to screen readers.
pub fn svg(picture: &Picture, title: &str) -> String {
    let layout = layout(picture);
    let Layout { width, height, .. } = layout;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<defs>{}{}</defs>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&picture.titled(title)),
        marker("head"),
        marker("outside-head"),
    );
    for number in 0..picture.arrows.len() {
        line(&mut out, picture, &layout, number);
    }
    let mut told: Vec<Vec<&Arrow>> = vec![Vec::new(); picture.boxes.len()];
    picture.told.iter().for_each(|arrow| told[arrow.to].push(arrow));
    for (index, place) in layout.places.iter().enumerate() {
        a_box(&mut out, picture, index, *place, &told[index]);
    }
    // Above boxes and arrows, so that nothing crosses a word.
    for (at, words) in labels(picture, &layout) {
        let _ = writeln!(
            out,
            "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            at.0,
            at.1,
            escaped(&words)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn marker(class: &str) -> String {
    format!(
        "<marker id=\"{class}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto-start-reverse\"><path class=\"{class}\" d=\"M0 0 8 4 0 8z\"/></marker>"
    )
}

fn a_box(out: &mut String, picture: &Picture, index: usize, place: Place, told: &[&Arrow]) {
    let one = &picture.boxes[index];
    let class = match one.kind {
        _ if one.is_stopped() => "box stopped",
        BoxKind::Outside => "box outside",
        BoxKind::LoadBalancers => "box balancer",
        BoxKind::Members => "box",
        BoxKind::Empty => "box empty",
    };
    let Place { x, y, height, .. } = place;
    // A pointer on the box shows who sends what no arrow is drawn for.
    let whole: Vec<String> = told.iter().map(|arrow| escaped(&whole(picture, arrow))).collect();
    let whole = if whole.is_empty() { String::new() } else { format!("<title>{}</title>", whole.join("\n")) };
    let _ = writeln!(
        out,
        "<g>{whole}<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>"
    );
    text(out, "title", (x + 12, y + 22), &one.head(&cut(&one.title, MAX_TEXT - 6)));
    let mut at = y + HEAD + 10;
    for line in one.lines() {
        let class = match line {
            Line::Member(_) => "member",
            Line::Stopped(_) => "member off",
            Line::FromOutside(_) => "traffic outside-words",
            Line::Traffic(_) => "traffic",
            Line::Note(_) => "faint",
        };
        text(out, class, (x + 12, at), &cut(line.words(), MAX_TEXT));
        at += LINE;
    }
    out.push_str("</g>\n");
}

fn text(out: &mut String, class: &str, (x, y): (i32, i32), words: &str) {
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words));
}

/// All that an arrow says: `lb -> web: 8080, 8443`.
fn whole(picture: &Picture, arrow: &Arrow) -> String {
    let title = |index: usize| picture.boxes[index].title.as_str();
    format!("{} -> {}: {}", title(arrow.from), title(arrow.to), arrow.traffic.join(", "))
}

/// Both ends of an arrow: it leaves a box at its right side and arrives at the left one, unless it goes back.
fn ends(layout: &Layout, arrow: &Arrow) -> ((i32, i32), (i32, i32)) {
    let (from, to) = (layout.places[arrow.from], layout.places[arrow.to]);
    let middle = |place: Place| place.y + place.height / 2;
    match from.lane.cmp(&to.lane) {
        Ordering::Less => ((from.x + WIDTH, middle(from)), (to.x, middle(to))),
        Ordering::Greater => ((from.x, middle(from) + 10), (to.x + WIDTH, middle(to) + 10)),
        Ordering::Equal => ((from.x + WIDTH, middle(from) - 8), (to.x + WIDTH, middle(to) + 8)),
    }
}

fn line(out: &mut String, picture: &Picture, layout: &Layout, number: usize) {
    let arrow = &picture.arrows[number];
    let ((x1, y1), (x2, y2)) = ends(layout, arrow);
    let from_outside = picture.boxes[arrow.from].kind == BoxKind::Outside;
    let (class, head) = if from_outside { ("arrow from-outside", "outside-head") } else { ("arrow", "head") };
    let same = layout.places[arrow.from].lane == layout.places[arrow.to].lane;
    let path = match layout.above[number] {
        // Over the boxes between, and down to the receiver.
        Some(top) => {
            let (out, back) = (x1 + LANE_GAP / 2, x2 - LANE_GAP / 2);
            format!("M{x1} {y1} C{out} {y1} {x1} {top} {out} {top} L{back} {top} C{x2} {top} {back} {y2} {x2} {y2}")
        }
        None if same => format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + 60, x2 + 60),
        None => {
            let bend = (x2 - x1) / 2;
            format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
        }
    };
    let class = if layout.wide[arrow.from] { format!("{class} wide") } else { class.to_owned() };
    let class = match arrow.kind {
        ArrowKind::Open => class,
        ArrowKind::Perhaps => format!("{class} perhaps"),
    };
    let title = whole(picture, arrow);
    let _ = writeln!(
        out,
        "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#{head})\"><title>{}</title></path>",
        escaped(&title)
    );
}

/// Words at arrows, in the gap before the receiver's lane, each below those that stand there already. What a sender says to many boxes is
/// said once, where its arrows begin.
fn labels(picture: &Picture, layout: &Layout) -> Vec<((i32, i32), String)> {
    let mut taken: Vec<(i32, i32)> = Vec::new();
    let mut said: HashSet<(usize, String)> = HashSet::new();
    let mut labels = Vec::new();
    for (number, arrow) in picture.arrows.iter().enumerate() {
        let ((x1, y1), (x2, y2)) = ends(layout, arrow);
        let (from, to) = (layout.places[arrow.from].lane, layout.places[arrow.to].lane);
        let words = cut(&arrow.words(), MAX_LABEL);
        let is_wide = layout.wide[arrow.from];
        if is_wide && !said.insert((arrow.from, words.clone())) {
            continue;
        }
        let (x, mut y) = match from.cmp(&to) {
            Ordering::Less if layout.above[number].is_some() => {
                (x1 + LANE_GAP, layout.above[number].unwrap_or_default() + 4)
            }
            Ordering::Equal if is_wide => (x1 + LANE_GAP / 2, y1 - 5),
            Ordering::Equal => (x2 + 72, (y1 + y2) / 2 - 5),
            Ordering::Less if is_wide => (x1 + LANE_GAP / 2, y1 - 5),
            Ordering::Less if from + 1 == to => ((x1 + x2) / 2, (y1 + y2) / 2 - 5),
            Ordering::Less => (x2 - LANE_GAP / 2, y2 - 5),
            Ordering::Greater => (x2 + LANE_GAP / 2, y2 - 5),
        };
        while picture.arrows.len() <= MAX_LABELS
            && taken.iter().any(|(other, at)| (other - x).abs() < 110 && (at - y).abs() < 15)
        {
            y += 15;
        }
        taken.push((x, y));
        labels.push(((x, y), words));
    }
    labels
}

fn cut(words: &str, length: usize) -> String {
    if words.chars().count() <= length {
        words.to_owned()
    } else {
        words.chars().take(length - 1).chain(['…']).collect()
    }
}

fn escaped(words: &str) -> String {
    shown(words).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
