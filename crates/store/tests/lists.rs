//! Lists through their views against a plain `Vec`, across both encodings.

use ochre_store::entry::encoding_name;
use ochre_store::value::list::{self, Element, ListMut, ListRef, NodeLimit, Place, Side};
use ochre_store::view::Observed;
use ochre_store::{Effects, Expiry, Scope, Settings, Store, WriteView};
use ochre_structures::list::Direction;
use proptest::prelude::*;

const KEY: &[u8] = b"key";

fn with_view<R>(run: impl FnOnce(&mut WriteView<'_, '_>) -> R) -> R {
    let (store, _freeing) = Store::start(1, 1).expect("a store");
    let settings = Settings::default();
    let scope = Scope {
        store: &store,
        settings: &settings,
        now_ms: 1,
        touch: true,
        expire: true,
        observed: Observed::default(),
        named: None,
    };
    let mut held = store.stripes.lock_one(0);
    let mut effects = Effects::default();
    run(&mut WriteView::new(&scope, &mut held, 0, &mut effects))
}

fn create(view: &mut WriteView<'_, '_>, limit: i64, side: Side, elements: &[&[u8]]) {
    let mut room = Vec::new();
    let payload = list::payload(side, elements, NodeLimit::from_config(limit), &mut room);
    view.set(KEY, payload, Expiry::Clear);
}

fn contents(view: &WriteView<'_, '_>) -> Vec<Vec<u8>> {
    let entry = view.read().peek(KEY).expect("the list");
    let list = ListRef::of(entry).expect("a list");
    let mut all = Vec::new();
    list.visit(0, list.len(), Direction::Forward, |e| all.push(e.to_vec()));
    all
}

fn encoding(view: &WriteView<'_, '_>) -> &'static str {
    encoding_name(view.read().peek(KEY).expect("the list"))
}

fn list_mut<'v>(view: &'v mut WriteView<'_, '_>, limit: i64) -> ListMut<'v> {
    let limit = NodeLimit::from_config(limit);
    ListMut::of(view.find_mut(KEY).expect("the list"), limit).expect("a list")
}

#[derive(Debug, Clone)]
enum Step {
    Push(bool, Vec<Vec<u8>>),
    Pop(bool),
    Set(i64, Vec<u8>),
    Insert(Vec<u8>, bool, Vec<u8>),
    Remove(i64, Vec<u8>),
    RemoveRange(usize, usize),
    Trim(i64, i64),
    Positions(Vec<u8>, i64, usize, usize),
    Visit(usize, usize, bool),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ab]{0,2}".prop_map(String::into_bytes),
        3 => (-3_i64..300).prop_map(|n| n.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..400),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), proptest::collection::vec(element(), 1..6))
            .prop_map(|(front, elements)| Step::Push(front, elements)),
        3 => any::<bool>().prop_map(Step::Pop),
        2 => (-20_i64..20, element()).prop_map(|(index, e)| Step::Set(index, e)),
        2 => (element(), any::<bool>(), element()).prop_map(|(p, b, e)| Step::Insert(p, b, e)),
        2 => (-3_i64..4, element()).prop_map(|(count, e)| Step::Remove(count, e)),
        1 => (0_usize..20, 0_usize..20).prop_map(|(start, count)| Step::RemoveRange(start, count)),
        1 => (-30_i64..5, -5_i64..60).prop_map(|(start, stop)| Step::Trim(start, stop)),
        2 => (element(), -3_i64..4, 0_usize..3, 0_usize..9)
            .prop_map(|(e, rank, count, len)| Step::Positions(e, rank, count, len)),
        2 => (0_usize..30, 0_usize..30, any::<bool>()).prop_map(|(s, c, b)| Step::Visit(s, c, b)),
    ]
}

fn side(front: bool) -> Side {
    if front { Side::Front } else { Side::Back }
}

/// Does a step to the model; returns what it answers.
fn apply(model: &mut Vec<Vec<u8>>, step: &Step) -> String {
    let place = |index: i64, len: usize| {
        let at = if index < 0 { index + len as i64 } else { index };
        usize::try_from(at).ok().filter(|&at| at < len)
    };
    match step {
        Step::Push(front, elements) => {
            for element in elements {
                let at = if *front { 0 } else { model.len() };
                model.insert(at, element.clone());
            }
            String::new()
        }
        Step::Pop(front) => {
            let at = if *front { 0 } else { model.len() - 1 };
            format!("{:?}", model.remove(at))
        }
        Step::Set(index, element) => match place(*index, model.len()) {
            Some(at) => {
                model[at].clone_from(element);
                "true".into()
            }
            None => "false".into(),
        },
        Step::Insert(pivot, before, element) => match model.iter().position(|e| e == pivot) {
            Some(at) => {
                model.insert(at + usize::from(!before), element.clone());
                "true".into()
            }
            None => "false".into(),
        },
        Step::Remove(count, element) => {
            let mut found: Vec<usize> = (0..model.len())
                .filter(|&at| model[at] == *element)
                .collect();
            if *count < 0 {
                found.reverse();
            }
            if *count != 0 {
                found.truncate(count.unsigned_abs() as usize);
            }
            found.sort_unstable();
            for &at in found.iter().rev() {
                model.remove(at);
            }
            found.len().to_string()
        }
        Step::RemoveRange(start, count) => {
            let start = (*start).min(model.len());
            let end = (start + count).min(model.len());
            model.drain(start..end).count().to_string()
        }
        Step::Trim(start, stop) => {
            let kept = ochre_structures::list::resolve_range(*start, *stop, model.len());
            let before = model.len();
            *model = model[kept].to_vec();
            (before - model.len()).to_string()
        }
        Step::Positions(element, rank, count, max_len) => {
            let bounded = |limit: usize| if limit == 0 { usize::MAX } else { limit };
            let mut indices: Vec<usize> = (0..model.len()).collect();
            if *rank < 0 {
                indices.reverse();
            }
            let found: Vec<usize> = indices
                .into_iter()
                .take(bounded(*max_len))
                .filter(|&at| model[at] == *element && *rank != 0)
                .skip(rank.unsigned_abs().saturating_sub(1) as usize)
                .take(bounded(*count))
                .collect();
            format!("{found:?}")
        }
        Step::Visit(start, count, forward) => {
            let mut indices: Vec<usize> = if *forward {
                (*start..model.len()).collect()
            } else {
                (0..=*start).rev().collect()
            };
            if *start >= model.len() {
                indices.clear();
            }
            let seen: Vec<&Vec<u8>> = indices.iter().take(*count).map(|&at| &model[at]).collect();
            format!("{seen:?}")
        }
    }
}

/// Does a step to the list; returns what it answers.
fn run(list: &mut ListMut<'_>, step: &Step) -> String {
    match step {
        Step::Push(front, elements) => {
            let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
            list.push(side(*front), &elements);
            String::new()
        }
        Step::Pop(front) => {
            let popped = list.pop(side(*front), |element| element.to_vec());
            list.shrink();
            format!("{:?}", popped.expect("an element"))
        }
        Step::Set(index, element) => list.set(*index, element).to_string(),
        Step::Insert(pivot, before, element) => {
            let place = if *before { Place::Before } else { Place::After };
            list.insert(pivot, place, element).to_string()
        }
        Step::Remove(count, element) => list.remove(*count, element).to_string(),
        Step::RemoveRange(start, count) => list.remove_range(*start, *count).to_string(),
        Step::Trim(start, stop) => list.trim(*start, *stop).to_string(),
        Step::Positions(element, rank, count, max_len) => format!(
            "{:?}",
            list.read().positions(element, *rank, *count, *max_len)
        ),
        Step::Visit(start, count, forward) => {
            let direction = if *forward {
                Direction::Forward
            } else {
                Direction::Backward
            };
            let mut seen = Vec::new();
            list.read()
                .visit(*start, *count, direction, |element: Element<'_>| {
                    seen.push(element.to_vec());
                });
            format!("{seen:?}")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_list_is_a_vec_in_any_encoding(
        limit in prop_oneof![Just(1_i64), Just(4), Just(16), Just(128), Just(-1), Just(-2)],
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        with_view(|view| {
            let mut model: Vec<Vec<u8>> = Vec::new();
            for step in &steps {
                if model.is_empty() {
                    view.remove(KEY);
                    if let Step::Push(front, elements) = step {
                        apply(&mut model, step);
                        let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
                        create(view, limit, side(*front), &elements);
                    }
                    continue;
                }
                let answer = apply(&mut model, step);
                let mut list = list_mut(view, limit);
                prop_assert_eq!(run(&mut list, step), answer, "{:?}", step);
                prop_assert_eq!(list.len(), model.len());
                for index in [0, model.len() / 2, model.len().saturating_sub(1)] {
                    let own = list.read().get(index as i64).map(|element| element.to_vec());
                    prop_assert_eq!(own.as_ref(), model.get(index));
                }
                prop_assert_eq!(contents(view), model.clone());
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_list_grows_beyond_the_limit_and_shrinks_below_half_of_it() {
    with_view(|view| {
        create(view, 4, Side::Back, &[b"a", b"b", b"c", b"d"]);
        assert_eq!(encoding(view), "listpack");
        list_mut(view, 4).push(Side::Front, &[b"e"]);
        assert_eq!(encoding(view), "quicklist");
        // One node again, and a listpack when two remain: half of the limit.
        for left in (2..5).rev() {
            let mut list = list_mut(view, 4);
            list.pop(Side::Front, |_| ());
            list.shrink();
            assert_eq!(list.len(), left);
            let expected = if left > 2 { "quicklist" } else { "listpack" };
            assert_eq!(encoding(view), expected, "{left} left");
        }
        assert_eq!(contents(view), [b"c".to_vec(), b"d".to_vec()]);
    });
}

#[test]
fn bytes_count_as_redis_estimates_them() {
    with_view(|view| {
        // 8192 bytes, of which 7 belong to an empty listpack.
        let element = vec![b'x'; 8185];
        create(view, -2, Side::Back, &[&element]);
        assert_eq!(encoding(view), "listpack");
        let element = vec![b'x'; 8186];
        create(view, -2, Side::Back, &[&element]);
        assert_eq!(encoding(view), "quicklist");
        // An LSET with something small makes it small again.
        assert!(list_mut(view, -2).set(0, b"small"));
        assert_eq!(encoding(view), "listpack");
        // An LINSERT that finds no pivot may still convert.
        let element = vec![b'x'; 8190];
        assert!(!list_mut(view, -2).insert(b"nothing", Place::After, &element));
        assert_eq!(encoding(view), "quicklist");
    });
}
