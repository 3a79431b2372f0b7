//! A picture with few arrows: who reaches most boxes, or is reached by most, is told in words, and so is what would be more arrows than one can follow.

use indexmap::IndexMap;

use super::picture::{Arrow, ArrowKind, BoxKind, Line, NodeBox, Picture};

/// Arrows of one box, at most, that the eye can follow.
const FEW: usize = 3;
/// Arrows of a small picture, at most, of which all are drawn.
const ALL: usize = 16;
/// Arrows of a whole picture, at most, that the eye can follow; or twice the number of boxes, if that is more.
const READABLE: usize = 40;

impl Picture {
    /// A picture of boxes and of what passes between them: sender, receiver and traffic, each pair once.
    pub fn of(boxes: Vec<NodeBox>, arrows: impl IntoIterator<Item = (usize, usize, Vec<String>)>) -> Self {
        let arrows = arrows.into_iter().map(|(from, to, traffic)| Arrow { from, to, traffic, kind: ArrowKind::Open });
        let mut picture = Self { boxes, arrows: arrows.collect(), told: Vec::new(), unknown: 0 };
        if picture.arrows.len() > ALL {
            return sparse(picture);
        }
        let (among, kept) = std::mem::take(&mut picture.arrows).into_iter().partition(|arrow| arrow.from == arrow.to);
        (picture.arrows, picture.told) = (kept, among);
        say(&mut picture);
        picture
    }
}

/// Puts arrows that nobody could follow into the words of their boxes.
pub(super) fn sparse(mut picture: Picture) -> Picture {
    let told = told(&picture);
    let (words, kept) = std::mem::take(&mut picture.arrows).into_iter().partition(|arrow| told.has(arrow));
    picture.arrows = kept;
    picture.told = words;
    say(&mut picture);
    picture
}

/// Boxes whose arrows are told in words.
struct Told {
    senders: Vec<bool>,
    receivers: Vec<bool>,
}

impl Told {
    fn has(&self, arrow: &Arrow) -> bool {
        self.senders[arrow.from] || self.receivers[arrow.to]
    }
}

fn told(picture: &Picture) -> Told {
    let inside = picture.boxes.iter().filter(|one| one.kind != BoxKind::Outside).count();
    let is_most = |count: &usize| *count > FEW && *count * 2 > inside;
    let (sent, received) = counts(picture, |_| true);
    // A monitor, a bastion, a collector of logs: beside most boxes, an arrow to each says less than a word.
    let mut told =
        Told { senders: sent.iter().map(is_most).collect(), receivers: received.iter().map(is_most).collect() };
    let (sent, received) = counts(picture, |arrow| !told.has(arrow));
    let left = picture.arrows.iter().filter(|arrow| arrow.from != arrow.to && !told.has(arrow));
    let mut widths: Vec<usize> = left.map(|arrow| sent[arrow.from].max(received[arrow.to])).collect();
    widths.sort_unstable();
    // Of what is left the widest, and with them all that are as wide.
    let readable = READABLE.max(picture.boxes.len() * 2);
    if let Some(width) = widths.get(readable).map(|width| (*width).max(FEW + 1)) {
        for (told, counts) in [(&mut told.senders, sent), (&mut told.receivers, received)] {
            told.iter_mut().zip(counts).for_each(|(told, count)| *told |= count >= width);
        }
    }
    told
}

/// Counts for each box the arrows to others that it sends and that it receives.
fn counts(picture: &Picture, counts: impl Fn(&Arrow) -> bool) -> (Vec<usize>, Vec<usize>) {
    let (mut sent, mut received) = (vec![0; picture.boxes.len()], vec![0; picture.boxes.len()]);
    for arrow in picture.arrows.iter().filter(|arrow| arrow.from != arrow.to && counts(arrow)) {
        sent[arrow.from] += 1;
        received[arrow.to] += 1;
    }
    (sent, received)
}

/// Words in both boxes of each arrow that is not drawn.
fn say(picture: &mut Picture) {
    let mut to: Vec<IndexMap<String, Vec<usize>>> = vec![IndexMap::new(); picture.boxes.len()];
    let mut from: Vec<IndexMap<String, usize>> = vec![IndexMap::new(); picture.boxes.len()];
    let mut own: Vec<Vec<Line>> = vec![Vec::new(); picture.boxes.len()];
    for arrow in &picture.told {
        let traffic = arrow.words();
        if arrow.from == arrow.to {
            own[arrow.to].push(Line::Traffic(format!("{traffic} among themselves")));
            continue;
        }
        to[arrow.to].entry(traffic.clone()).or_default().push(arrow.from);
        *from[arrow.from].entry(traffic).or_default() += 1;
    }
    for (index, (senders, receivers)) in to.into_iter().zip(from).enumerate() {
        let inward = senders.into_iter().map(|(traffic, senders)| {
            let title = |sender: &usize| picture.boxes[*sender].title.as_str();
            let words = match senders.as_slice() {
                [one] => format!("{traffic} from {}", title(one)),
                [one, other] => format!("{traffic} from {}, {}", title(one), title(other)),
                [one, others @ ..] => format!("{traffic} from {} and {} more", title(one), others.len()),
                [] => traffic,
            };
            let is_outside = senders.iter().any(|sender| picture.boxes[*sender].kind == BoxKind::Outside);
            if is_outside { Line::FromOutside(words) } else { Line::Traffic(words) }
        });
        let inward = inward.chain(own[index].drain(..)).collect();
        let boxes = |count: usize| if count == 1 { "1 box".to_owned() } else { format!("{count} boxes") };
        let reaching = receivers
            .into_iter()
            .map(|(traffic, count)| Line::Traffic(format!("{traffic} to {}", boxes(count))))
            .collect();
        picture.boxes[index].inward.extend::<Vec<Line>>(inward);
        picture.boxes[index].reaching = reaching;
    }
}
