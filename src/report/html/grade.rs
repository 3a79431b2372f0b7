//! The page of what a class has handed in.

use super::markup::{STYLE, escaped};
use crate::report::text::shown;
use crate::workshop::lesson::grade::{Graded, scheme};

/// The page.
pub fn grades(title: &str, stage: &str, summary: &str, all: &[Graded]) -> String {
    let heading = format!("{title}, stage {stage}");
    let rows: String = all.iter().enumerate().map(|(index, it)| row(index, it)).collect();
    let parts: String = all.iter().enumerate().map(|(index, it)| one(index, it)).collect();
    let scheme: String = scheme().iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n<p>{2}</p>\n\
         <div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">participant</th><th scope=\"col\">score</th><th scope=\"col\">goal</th>\
         <th scope=\"col\">faults</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n{parts}\
         <h2>How the score comes about</h2>\n<ul>\n{scheme}</ul>\n</main>\n</body>\n</html>\n",
        escaped(&heading),
        STYLE,
        escaped(summary),
    )
}

fn row(index: usize, it: &Graded) -> String {
    let (word, class) = verdict(it);
    format!(
        "<tr><th scope=\"row\"><a href=\"#participant-{}\">{}</a></th><td>{}</td><td class=\"{class}\">{word}</td><td>{}</td></tr>\n",
        index + 1,
        escaped(&shown(&it.participant)),
        it.score,
        it.faults.len() + it.limits.len()
    )
}

fn verdict(it: &Graded) -> (&'static str, &'static str) {
    match (&it.refused, it.holds) {
        (Some(_), _) => ("NOT RUN", "bad"),
        (None, true) => ("HOLDS", "good"),
        (None, false) => ("DOES NOT HOLD", "unsure"),
    }
}

fn one(index: usize, it: &Graded) -> String {
    let (word, class) = verdict(it);
    let mut out = format!(
        "<article id=\"participant-{}\">\n<h2>{}: {} <span class=\"verdict {class}\">{word}</span></h2>\n\
         <p class=\"facts\">{}: {} of {} points right, {} spoilt, {} not proved</p>\n<ul>\n",
        index + 1,
        escaped(&shown(&it.participant)),
        it.score,
        escaped(&shown(&it.file)),
        it.right,
        it.of,
        it.spoilt,
        it.unproved
    );
    for fault in &it.faults {
        let place =
            fault.place.as_ref().map_or_else(String::new, |place| format!(" <small>{}</small>", escaped(place)));
        out.push_str(&format!(
            "<li><strong class=\"bad\">{}</strong> {}{place}<br><span class=\"faint\">{} ({} cells)</span></li>\n",
            fault.kind.as_str(),
            escaped(&shown(&fault.what)),
            escaped(&fault.flows.join("; ")),
            fault.cells
        ));
    }
    for limit in &it.limits {
        out.push_str(&format!("<li><strong class=\"bad\">LIMIT</strong> {}</li>\n", escaped(&limit.to_string())));
    }
    out.push_str("</ul>\n");
    if let Some(refused) = &it.refused {
        out.push_str(&format!("<p class=\"bad\">{}</p>\n", escaped(&shown(&refused.why))));
        if let Some(problems) = &refused.problems {
            out.push_str(&format!("<pre>{}</pre>\n", escaped(&problems.to_string())));
        }
    }
    out + "</article>\n"
}
