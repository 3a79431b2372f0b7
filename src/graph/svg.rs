//! A picture as SVG: readable without script, light and dark.

use std::fmt::Write;

use super::drawing::{Drawing, DrawnArrow, DrawnBox, LineKind, Words};
use super::picture::{ArrowKind, BoxKind, Picture};
use crate::model::shown;

const STYLE: &str = "
  svg { color-scheme: light dark; }
  .page { fill: #ffffff; } .box { fill: #f6f8fa; stroke: #8c959f; } .outside { fill: #fff8c5; stroke: #bf8700; }
  .balancer { fill: #ddf4ff; stroke: #0969da; } .empty { fill: none; stroke: #8c959f; stroke-dasharray: 5 4; }
  .stopped { fill-opacity: 0.4; stroke-opacity: 0.5; } .off { fill-opacity: 0.6; font-style: italic; }
  .title { fill: #1f2328; font-weight: 600; } text { fill: #424a53; font: 13px ui-sans-serif, system-ui, sans-serif; }
  .faint { fill: #656d76; font-size: 12px; } .traffic { fill: #0550ae; font-size: 12px; } .outside-words { fill: #cf222e; } .arrow { fill: none; stroke: #57606a; stroke-width: 1.5; }
  .from-outside { stroke: #cf222e; } .wide { stroke-opacity: 0.35; } .perhaps { stroke-dasharray: 6 4; } .head { fill: #57606a; } .outside-head { fill: #cf222e; }
  .label { fill: #1f2328; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 7px; stroke-linejoin: round; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .box { fill: #161b22; stroke: #6e7681; } .outside { fill: #272115; stroke: #d29922; }
    .balancer { fill: #0c2d6b; stroke: #58a6ff; } .title { fill: #f0f6fc; } text { fill: #c9d1d9; } .faint { fill: #8b949e; } .traffic { fill: #79c0ff; } .outside-words { fill: #ff7b72; }
    .arrow { stroke: #8b949e; } .from-outside { stroke: #ff7b72; } .head { fill: #8b949e; } .outside-head { fill: #ff7b72; }
    .label { fill: #f0f6fc; stroke: #0d1117; }
  }
";

/// Draws it; `title` is told to screen readers.
pub fn svg(picture: &Picture, title: &str) -> String {
    let Drawing { width, height, boxes, arrows, labels } = Drawing::new(picture);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<defs>{}{}</defs>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&picture.titled(title)),
        marker("head"),
        marker("outside-head"),
    );
    arrows.iter().for_each(|arrow| line(&mut out, arrow));
    boxes.iter().for_each(|one| a_box(&mut out, one));
    for label in labels {
        let Words { x, y, text } = label.words;
        let _ =
            writeln!(out, "<text class=\"label\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escaped(&text));
    }
    out.push_str("</svg>\n");
    out
}

fn marker(class: &str) -> String {
    format!(
        "<marker id=\"{class}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto-start-reverse\"><path class=\"{class}\" d=\"M0 0 8 4 0 8z\"/></marker>"
    )
}

fn a_box(out: &mut String, one: &DrawnBox) {
    let class = match one.kind {
        _ if one.stopped => "box stopped",
        BoxKind::Outside => "box outside",
        BoxKind::LoadBalancers => "box balancer",
        BoxKind::Members => "box",
        BoxKind::Empty => "box empty",
    };
    let DrawnBox { x, y, width, height, .. } = one;
    // A pointer on the box shows who sends what no arrow is drawn for.
    let told: Vec<String> = one.told.iter().map(|told| escaped(told)).collect();
    let told = if told.is_empty() { String::new() } else { format!("<title>{}</title>", told.join("\n")) };
    let _ = writeln!(
        out,
        "<g>{told}<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
    );
    text(out, "title", &one.head);
    for line in &one.lines {
        let class = match line.kind {
            LineKind::Member => "member",
            LineKind::Stopped => "member off",
            LineKind::FromOutside => "traffic outside-words",
            LineKind::Traffic => "traffic",
            LineKind::Note => "faint",
        };
        text(out, class, &line.words);
    }
    out.push_str("</g>\n");
}

fn text(out: &mut String, class: &str, Words { x, y, text }: &Words) {
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(text));
}

fn line(out: &mut String, arrow: &DrawnArrow) {
    let from_outside = arrow.sender == BoxKind::Outside;
    let (class, head) = if from_outside { ("arrow from-outside", "outside-head") } else { ("arrow", "head") };
    let class = if arrow.wide { format!("{class} wide") } else { class.to_owned() };
    let class = match arrow.kind {
        ArrowKind::Open => class,
        ArrowKind::Perhaps => format!("{class} perhaps"),
    };
    let _ = writeln!(
        out,
        "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#{head})\"><title>{}</title></path>",
        arrow.path,
        escaped(&arrow.whole)
    );
}

fn escaped(words: &str) -> String {
    shown(words).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
