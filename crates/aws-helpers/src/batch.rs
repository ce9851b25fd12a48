//! Batches as the services take them: so many items, so many bytes; and what to do when one item
//! spoils a call.

/// Splits items into batches of at most `most` items and `bytes` bytes, in order. An item larger than
/// `bytes` gets a batch of its own: the service's refusal then names it.
pub fn split<T>(items: Vec<T>, most: usize, bytes: usize, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let own = size(&item);
        match batches.last_mut() {
            Some(batch) if batch.len() < most && filled + own <= bytes => {
                filled += own;
                batch.push(item);
            }
            _ => {
                filled = own;
                batches.push(vec![item]);
            }
        }
    }
    batches
}

/// What a failed call says of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing to do with the items (throttled, denied): all of them fail.
    None,
    /// Just these, by their place in the call: drop them and call again with the rest.
    Items(Vec<usize>),
    /// One or more of them, but not which: halve the batch.
    Some,
}

/// Calls with all items; where the failure is an item's, drops the items it names and calls again, or
/// halves the batch, so that one bad item never loses the others. Returns the answers and each failed
/// item with its error. With k bad items of n, at most k + 1 calls if the errors name them, and about
/// 2k·log₂(n) if not.
pub async fn isolate<T, O, E: Clone>(
    items: Vec<T>,
    call: impl AsyncFn(&[T]) -> Result<O, E>,
    blame: impl Fn(&E) -> Blame,
) -> (Vec<O>, Vec<(T, E)>) {
    let mut answers = Vec::new();
    let mut failed = Vec::new();
    let mut pending = vec![items];
    while let Some(mut items) = pending.pop() {
        if items.is_empty() {
            continue;
        }
        let error = match call(&items).await {
            Ok(answer) => {
                answers.push(answer);
                continue;
            }
            Err(error) => error,
        };
        match blame(&error) {
            Blame::Items(places) if places.iter().any(|place| *place < items.len()) => {
                let mut rest = Vec::with_capacity(items.len());
                for (place, item) in items.into_iter().enumerate() {
                    if places.contains(&place) {
                        failed.push((item, error.clone()));
                    } else {
                        rest.push(item);
                    }
                }
                pending.push(rest);
            }
            // Named places that are not in the call name nothing: halve, as if unnamed.
            Blame::Some | Blame::Items(_) if items.len() > 1 => {
                let second = items.split_off(items.len() / 2);
                pending.push(second);
                pending.push(items);
            }
            _ => failed.extend(items.into_iter().map(|item| (item, error.clone()))),
        }
    }
    (answers, failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn batches_keep_both_limits() {
        for (name, items, most, bytes, expected) in [
            ("none", vec![], 3, 10, vec![]),
            ("by count", vec![1, 1, 1, 1], 3, 10, vec![vec![1, 1, 1], vec![1]]),
            ("by bytes", vec![4, 4, 4], 3, 10, vec![vec![4, 4], vec![4]]),
            ("exactly full", vec![5, 5, 1], 3, 10, vec![vec![5, 5], vec![1]]),
            ("one too large", vec![1, 11, 1], 3, 10, vec![vec![1], vec![11], vec![1]]),
        ] {
            assert_eq!(split(items, most, bytes, |size| *size), expected, "{name}");
        }
    }

    /// A service that refuses odd numbers, naming them or not, or refuses everything.
    fn calls(items: &[u32], named: bool, down: bool) -> (Vec<u32>, Vec<u32>, u32) {
        let count = Cell::new(0);
        let service = async |items: &[u32]| {
            count.set(count.get() + 1);
            let odd: Vec<usize> = (0..items.len()).filter(|at| items[*at] % 2 == 1).collect();
            if down || !odd.is_empty() { Err(odd) } else { Ok(items.to_vec()) }
        };
        let blame = |odd: &Vec<usize>| match (down, named) {
            (true, _) => Blame::None,
            (_, true) => Blame::Items(odd.clone()),
            _ => Blame::Some,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (answers, failed) = runtime.block_on(isolate(items.to_vec(), service, blame));
        let mut done: Vec<u32> = answers.into_iter().flatten().collect();
        done.sort_unstable();
        let mut lost: Vec<u32> = failed.into_iter().map(|(item, _)| item).collect();
        lost.sort_unstable();
        (done, lost, count.get())
    }

    #[test]
    fn one_bad_item_never_loses_the_others() {
        let hundred: Vec<u32> = (0..100).map(|n| n * 2).collect();
        let mut spoiled = hundred.clone();
        spoiled[37] = 1;
        let clean: Vec<u32> = spoiled.iter().copied().filter(|n| n % 2 == 0).collect();
        for (name, items, named, down, expected) in [
            ("all well", hundred.clone(), true, false, (hundred.clone(), vec![], 1)),
            ("named", spoiled.clone(), true, false, (clean.clone(), vec![1], 2)),
            ("not named", spoiled.clone(), false, false, (clean, vec![1], 13)),
            ("alone", vec![1], false, false, (vec![], vec![1], 1)),
            ("nothing", vec![], false, false, (vec![], vec![], 0)),
            ("the service is down", vec![2, 4], true, true, (vec![], vec![2, 4], 1)),
        ] {
            assert_eq!(calls(&items, named, down), expected, "{name}");
        }
    }
}
