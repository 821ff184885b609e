//! OpenAPI as HTML.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use utoipa::openapi::OpenApi;

/// The page.
pub(super) fn page(document: &OpenApi) -> String {
    let json = serde_json::to_value(document).unwrap_or_default();
    let mut out = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Lunette API</title><link rel=icon href=data:,><link rel=stylesheet href=page.css><main>",
    );
    let info = &json["info"];
    let _ = write!(
        out,
        "<h1>Lunette API <small>{}</small></h1>",
        escaped(text(info, "version"))
    );
    for paragraph in text(info, "description").split("\n\n") {
        let _ = write!(out, "<p>{}</p>", prose(paragraph));
    }
    out.push_str("<p>The same for programs: <a href=v1/openapi.json>OpenAPI 3.1</a>.</p>");
    for tag in json["tags"].as_array().into_iter().flatten() {
        let name = text(tag, "name");
        let _ = write!(
            out,
            "<h2>{}</h2><p>{}</p>",
            escaped(name),
            prose(text(tag, "description"))
        );
        for (path, item) in entries(&json["paths"]) {
            for (method, operation) in entries(item) {
                if operation["tags"][0] == name {
                    operation_to(&mut out, path, method, operation);
                }
            }
        }
    }
    out.push_str("<h2>Objects</h2>");
    for (name, schema) in entries(&json["components"]["schemas"]) {
        let name = escaped(name);
        let _ = write!(out, "<section id=\"{name}\"><h3>{name}</h3>");
        let _ = write!(out, "<p>{}</p>", prose(text(schema, "description")));
        fields_to(&mut out, schema);
        out.push_str("</section>");
    }
    out.push_str("</main></html>");
    out
}

fn operation_to(out: &mut String, path: &str, method: &str, operation: &Json) {
    let _ = write!(
        out,
        "<details><summary><b class={method}>{}</b> <code>{}</code> {}</summary>",
        method.to_uppercase(),
        escaped(path),
        prose(text(operation, "summary")),
    );
    let _ = write!(out, "<p>{}</p>", prose(text(operation, "description")));
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
        out.push_str("<table><tr><th>parameter<th>in<th>type<th>");
        for parameter in parameters {
            row(
                out,
                &[
                    format!("<code>{}</code>", escaped(text(parameter, "name"))),
                    escaped(text(parameter, "in")),
                    kind(&parameter["schema"]),
                    prose(text(parameter, "description")),
                ],
            );
        }
        out.push_str("</table>");
    }
    for (media, content) in entries(&operation["requestBody"]["content"]) {
        let _ = write!(
            out,
            "<p>Body: {} as <code>{}</code></p>",
            kind(&content["schema"]),
            escaped(media)
        );
    }
    out.push_str("<table><tr><th>status<th>body<th>");
    for (status, response) in entries(&operation["responses"]) {
        let body = entries(&response["content"])
            .map(|(_, content)| kind(&content["schema"]))
            .next();
        row(
            out,
            &[
                escaped(status),
                body.unwrap_or_default(),
                prose(text(response, "description")),
            ],
        );
    }
    out.push_str("</table></details>");
}

fn fields_to(out: &mut String, schema: &Json) {
    let mut fields = entries(&schema["properties"]).peekable();
    if fields.peek().is_none() {
        let _ = write!(out, "<p>{}</p>", kind(schema));
        return;
    }
    out.push_str("<table><tr><th>field<th>type<th>");
    for (name, field) in fields {
        row(
            out,
            &[
                format!("<code>{}</code>", escaped(name)),
                kind(field),
                prose(text(field, "description")),
            ],
        );
    }
    out.push_str("</table>");
}

fn row(out: &mut String, cells: &[String]) {
    out.push_str("<tr>");
    for cell in cells {
        let _ = write!(out, "<td>{cell}");
    }
}

/// What a value of `schema` is, in a word or a link.
fn kind(schema: &Json) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    for of in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[of].as_array() {
            let kinds = all.iter().filter(|one| one["type"] != "null").map(kind);
            return kinds.collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(Json::as_str);
        return values
            .map(|value| format!("<code>{}</code>", escaped(value)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if schema.get("items").is_some() {
        return format!("list of {}", kind(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("table of {} by id", kind(&schema["additionalProperties"]));
    }
    let name = match &schema["type"] {
        Json::Array(all) => all
            .iter()
            .filter_map(Json::as_str)
            .find(|one| *one != "null"),
        one => one.as_str(),
    };
    escaped(name.unwrap_or("anything"))
}

fn entries(json: &Json) -> impl Iterator<Item = (&str, &Json)> {
    json.as_object()
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| (key.as_str(), value))
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json[key].as_str().unwrap_or_default()
}

/// Text with what stands in backquotes set as code.
fn prose(text: &str) -> String {
    let parts = escaped(text);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(n, part)| {
            if n % 2 == 1 {
                format!("<code>{part}</code>")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
