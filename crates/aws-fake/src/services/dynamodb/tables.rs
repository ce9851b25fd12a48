//! `CreateTable` and `DescribeTable`: as much as it takes to have a table with a key.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input;
use crate::{
    error::ApiError,
    services::Answer,
    world::{
        World, clock, names,
        tables::{KeyPart, Table, invalid},
        values,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    table_name: String,
    key_schema: Vec<KeySchema>,
    attribute_definitions: Vec<Definition>,
    billing_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeySchema {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Definition {
    attribute_name: String,
    attribute_type: String,
}

pub(super) fn create(world: &mut World, parameters: Value) -> Answer {
    let ask: Create = input(parameters)?;
    if world.tables.contains_key(&ask.table_name) {
        let message = format!("Table already exists: {}", ask.table_name);
        return Err(ApiError::refused("ResourceInUseException", message));
    }
    if ask.billing_mode.as_deref() != Some("PAY_PER_REQUEST") {
        return Err(invalid("This World has tables on demand only: BillingMode must be PAY_PER_REQUEST"));
    }
    let key = key(&ask)?;
    let table = Table::new(&ask.table_name, key, world.date());
    let description = description(&table);
    world.tables.insert(ask.table_name, table);
    Ok(json!({"TableDescription": description}))
}

fn key(ask: &Create) -> Result<Vec<KeyPart>, ApiError> {
    let kinds: Vec<_> = ask.key_schema.iter().map(|part| part.key_type.as_str()).collect();
    if kinds != ["HASH"] && kinds != ["HASH", "RANGE"] {
        return Err(invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"));
    }
    if ask.attribute_definitions.len() != ask.key_schema.len() {
        return Err(invalid(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match \
             number of attributes defined in AttributeDefinitions",
        ));
    }
    let part = |name: &String| {
        let defined = ask.attribute_definitions.iter().find(|definition| definition.attribute_name == *name);
        let defined =
            defined.filter(|definition| ["S", "N", "B"].contains(&definition.attribute_type.as_str()));
        let kind = defined.map(|definition| definition.attribute_type.clone());
        let undefined = || invalid("Invalid KeySchema: Some index key attribute have no definition");
        Ok(KeyPart { name: name.clone(), kind: kind.ok_or_else(undefined)? })
    };
    ask.key_schema.iter().map(|schema| part(&schema.attribute_name)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    table_name: String,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    match world.tables.get(&ask.table_name) {
        Some(table) => Ok(json!({"Table": description(table)})),
        None => Err(ApiError::refused(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {} not found", ask.table_name),
        )),
    }
}

fn description(table: &Table) -> Value {
    let kinds = ["HASH", "RANGE"];
    let schema = table.key.iter().zip(kinds);
    let schema: Vec<_> =
        schema.map(|(part, kind)| json!({"AttributeName": part.name, "KeyType": kind})).collect();
    let definitions = table.key.iter();
    let definitions: Vec<_> =
        definitions.map(|part| json!({"AttributeName": part.name, "AttributeType": part.kind})).collect();
    json!({
        "TableName": table.name,
        "TableArn": names::table_arn(&table.name),
        "TableStatus": "ACTIVE",
        "KeySchema": schema,
        "AttributeDefinitions": definitions,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "CreationDateTime": clock::epoch_seconds(table.created_at),
        "ItemCount": table.len(),
        "TableSizeBytes": table.after(None).map(values::size).sum::<usize>(),
    })
}
