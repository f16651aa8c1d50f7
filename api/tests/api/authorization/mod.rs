//! Every operation, asked for by everybody: who gets through, and who is refused how.
//!
//! `policy.txt` is the whole of it, to be read by a person: a row for each operation (or several, where it depends on
//! what is asked for) and a column for each caller. An operation without a row fails, and so does a row without an
//! operation. To add one, write its row; where its path names something new, teach `world.rs` to make one.

/// The operations of the OpenAPI document, and requests to them.
mod operation;
/// The policy: who gets through to which operation.
mod policy;
/// The people who ask, and what they ask for.
mod world;

use std::collections::BTreeSet;

use self::{
    operation::{Operation, operations},
    policy::{Caller, Cell, Row, rows},
    world::World,
};

#[test]
fn every_operation_has_a_policy_and_every_policy_an_operation() {
    let known: BTreeSet<String> = operations().into_iter().map(|o| o.name).collect();
    let ruled: BTreeSet<String> = rows().into_iter().map(|row| row.operation).collect();
    let without: Vec<&String> = known.difference(&ruled).collect();
    let unknown: Vec<&String> = ruled.difference(&known).collect();
    assert!(
        without.is_empty() && unknown.is_empty(),
        "operations without a row in policy.txt: {without:?}; rows without an operation: {unknown:?}"
    );
}

#[test]
fn the_document_tells_of_every_refusal() {
    let operations = operations();
    let mut wrong = Vec::new();
    for row in rows() {
        let operation = named(&operations, &row);
        for (caller, cell) in Caller::ALL.into_iter().zip(row.cells) {
            if let Cell::Refused(status) = cell
                && !operation.statuses.contains(&status)
            {
                wrong.push(format!("{} does not tell of {status}", row.operation));
            }
            // What the document calls open lets strangers in; a token that is no good is refused wherever one is read.
            let nobody = caller == Caller::Anonymous;
            let stale = matches!(caller, Caller::Deactivated | Caller::Expired);
            if (nobody && !operation.open || stale && operation.bearer)
                && cell != Cell::Refused(401)
            {
                wrong.push(format!("{} lets {} in", row.operation, caller.name()));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn everybody_gets_exactly_as_far_as_the_policy_says() {
    let world = World::new().await;
    hold(&world, rows()).await;
    world.stack.stop().await;
}

/// What staff still do who have no second factor where they need one: otherwise they could not get one.
const LEFT_TO_STAFF: &[&str] = &[
    "login_user",
    "get_me",
    "get_second_factor",
    "enrol_second_factor",
    "confirm_second_factor",
];

#[tokio::test]
async fn a_closed_house_lets_nobody_register_and_no_staff_act_without_a_second_factor() {
    let settings = "[auth]\nregistration = \"closed\"\nstaff_second_factor = true";
    let world = World::with(settings).await;
    let stricter: Vec<Row> = rows().into_iter().filter_map(stricter).collect();
    assert!(stricter.len() > 30, "{} rows", stricter.len());
    hold(&world, stricter).await;
    world.stack.stop().await;
}

/// A row as it is in a closed house; none of what is the same there.
fn stricter(mut row: Row) -> Option<Row> {
    let [_, owner, other, staff @ .., _, _] = &mut row.cells;
    // What both are refused is for staff alone.
    let for_staff = [*owner, *other] == [Cell::Refused(403); 2];
    if row.operation == "register_user" {
        row.cells = [Cell::Refused(403); 8];
    } else if for_staff {
        staff.fill(Cell::Refused(403));
    } else if !LEFT_TO_STAFF.contains(&row.operation.as_str()) {
        return None;
    }
    Some(row)
}

/// Asks for each cell of `rows`.
async fn hold(world: &World, rows: Vec<Row>) {
    let operations = operations();
    let mut wrong = Vec::new();
    for row in rows {
        let operation = named(&operations, &row);
        let mut seen = row.cells;
        for (n, caller) in Caller::ALL.into_iter().enumerate() {
            let status = ask(world, operation, &row, caller).await;
            let failed = status >= 500 && status != 503;
            assert!(
                !failed && status != 429 && status != 405,
                "{} answered {status} to {}",
                row.operation,
                caller.name()
            );
            seen[n] = Cell::of(status);
        }
        if seen != row.cells {
            let cells: Vec<String> = seen.iter().map(|cell| format!("{cell:<6}")).collect();
            wrong.push(format!(
                "{} {} {}",
                row.operation,
                row.thing,
                cells.concat()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "the policy says otherwise than what was answered:\n{}",
        wrong.join("\n")
    );
}

fn named<'a>(operations: &'a [Operation], row: &Row) -> &'a Operation {
    operations
        .iter()
        .find(|operation| operation.name == row.operation)
        .unwrap_or_else(|| panic!("there is no operation {}", row.operation))
}

/// The status that `caller` gets for a thing made for this request.
async fn ask(world: &World, operation: &Operation, row: &Row, caller: Caller) -> u16 {
    let mut values = world.thing(&row.thing, caller).await;
    values.extend(row.given.clone());
    let query: Vec<(&str, &String)> = row
        .asked
        .iter()
        .map(|(name, value)| (name.as_str(), &values[value]))
        .collect();
    let mut request = world
        .stack
        .request(operation.method.clone(), &operation.at(&values))
        .query(&query);
    if let Some(token) = world.token(caller)
        && !operation.cookie
    {
        request = request.bearer_auth(token);
    }
    if operation.cookie
        && let Some(cookie) = world.cookie(caller).await
    {
        request = request.header("cookie", cookie);
    }
    if let Some(body) = operation.body(&values) {
        request = request.json(&body);
    }
    world.set_out().await;
    let status = request.send().await.unwrap().status().as_u16();
    world.restore().await;
    status
}
