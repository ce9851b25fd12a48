//! The fewest calls: missing (instance, tag) cells → rectangles of ids × tags, each of them one call.

use std::collections::BTreeMap;

/// One call: every tag is written to every instance. Both are places in the caller's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// Instances.
    pub instances: Vec<usize>,
    /// Tags: a key and a value each.
    pub tags: Vec<usize>,
}

/// Covers cells, each once, with rectangles of at most `most` instances.
///
/// Instances that lack the same set of tags fill whole calls first: those cannot be beaten, since each has
/// as many instances as a call takes. What remains of all sets together goes the cheaper of two ways: set
/// by set, or tag by tag across the sets.
#[must_use]
pub fn cover(cells: &[(usize, usize)], most: usize) -> Vec<Rectangle> {
    let most = most.max(1);
    let mut tags_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (instance, tag) in cells {
        tags_of.entry(*instance).or_default().push(*tag);
    }
    let mut by_set: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (instance, mut tags) in tags_of {
        tags.sort_unstable();
        tags.dedup();
        by_set.entry(tags).or_default().push(instance);
    }
    let mut rectangles = Vec::new();
    let mut rest: Vec<Rectangle> = Vec::new();
    for (tags, instances) in by_set {
        for chunk in instances.chunks(most) {
            let rectangle = Rectangle { instances: chunk.to_vec(), tags: tags.clone() };
            if chunk.len() == most { rectangles.push(rectangle) } else { rest.push(rectangle) }
        }
    }
    let mut by_tag: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for rectangle in &rest {
        for tag in &rectangle.tags {
            by_tag.entry(*tag).or_default().extend(&rectangle.instances);
        }
    }
    let tag_by_tag: usize = by_tag.values().map(|instances| instances.len().div_ceil(most)).sum();
    if rest.len() <= tag_by_tag {
        rectangles.extend(rest);
    } else {
        for (tag, instances) in by_tag {
            let chunks = instances.chunks(most);
            rectangles.extend(chunks.map(|chunk| Rectangle { instances: chunk.to_vec(), tags: vec![tag] }));
        }
    }
    rectangles
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// So many instances for each set of tags, numbered on.
    fn cells(sets: &[(usize, &[usize])]) -> Vec<(usize, usize)> {
        let mut next = 0;
        let mut cells = Vec::new();
        for (count, tags) in sets {
            for instance in next..next + count {
                cells.extend(tags.iter().map(|tag| (instance, *tag)));
            }
            next += count;
        }
        cells
    }

    #[test]
    fn every_cell_is_covered_once_in_few_calls() {
        let people: Vec<(usize, Vec<usize>)> = (0..40).map(|person| (10, vec![0, 10 + person])).collect();
        let people: Vec<(usize, &[usize])> = people.iter().map(|(n, tags)| (*n, tags.as_slice())).collect();
        for (name, sets, most, expected) in [
            ("nothing", vec![], 500, 0),
            ("one tag", vec![(1_200, &[0][..])], 500, 3),
            ("one set of three tags", vec![(1_000, &[0, 1, 2][..])], 500, 2),
            ("set by set", vec![(500, &[0][..]), (500, &[1]), (500, &[0, 1])], 500, 3),
            ("few of many sets, tag by tag", vec![(5, &[0][..]), (5, &[1]), (5, &[0, 1])], 500, 2),
            (
                "whole calls by set, the rest by tag",
                vec![
                    (571, &[0][..]),
                    (571, &[1]),
                    (571, &[2]),
                    (571, &[0, 1]),
                    (571, &[0, 2]),
                    (571, &[1, 2]),
                    (574, &[0, 1, 2]),
                ],
                500,
                10,
            ),
            ("forty owners and one tag that all lack", people, 500, 40),
        ] {
            let cells = cells(&sets);
            let rectangles = cover(&cells, most);
            assert_eq!(rectangles.len(), expected, "{name}");
            assert!(rectangles.iter().all(|one| (1..=most).contains(&one.instances.len())), "{name}");
            let covered: Vec<(usize, usize)> = rectangles
                .iter()
                .flat_map(|one| one.instances.iter().flat_map(|id| one.tags.iter().map(|tag| (*id, *tag))))
                .collect();
            let distinct: BTreeSet<_> = covered.iter().copied().collect();
            assert_eq!(covered.len(), distinct.len(), "{name}: no cell twice");
            assert_eq!(
                distinct,
                cells.into_iter().collect::<BTreeSet<_>>(),
                "{name}: each cell, and no other"
            );
        }
    }
}
