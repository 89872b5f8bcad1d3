//! The dashboard against what Grafana says that one may hold: its published types, by TypeScript's compiler; and against
//! habits of those who share dashboards, which types don't know.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{part, repository, scratch};

/// The dashboard as the chart has it.
pub fn dashboard() -> Value {
    let file = repository().join("charts/scim-operator/files/dashboard.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// What the compiler says of a dashboard as Grafana's types have it; nothing where it fits.
fn complaints(name: &str, dashboard: &Value) -> String {
    let directory = scratch().join("data").join(name);
    fs::create_dir_all(&directory).unwrap();
    if !directory.join("node_modules").exists() {
        symlink(part("grafana/node_modules"), directory.join("node_modules")).unwrap();
    }
    let options = json!({"strict": true, "noEmit": true, "module": "esnext", "moduleResolution": "bundler",
        "target": "es2022", "skipLibCheck": true, "types": []});
    let project = json!({"compilerOptions": options, "files": ["dashboard.ts"]});
    fs::write(directory.join("tsconfig.json"), project.to_string()).unwrap();
    let mut source = "import type { DataQuery, Dashboard } from '@grafana/schema';\n".to_owned();
    for (kind, file) in [("stat", "StatPanelCfg"), ("timeseries", "TimeSeriesPanelCfg")] {
        let module = format!("@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/{file}_types.gen");
        source += &format!("import type {{ Options as {kind} }} from '{module}';\n");
    }
    // Enumerations are written as their texts.
    source += "type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;\n";
    // What a query of Prometheus's holds, of which the data source's own types aren't published there.
    source += "type Query = DataQuery & { expr: string; legendFormat: string };\n";
    source += &format!("export const all = {dashboard} satisfies Json<Dashboard>;\n");
    for panel in dashboard["panels"].as_array().unwrap() {
        let kind = panel["type"].as_str().unwrap();
        source += &format!("({}) satisfies Json<Partial<{kind}>>;\n", panel["options"]);
        for target in panel["targets"].as_array().unwrap() {
            source += &format!("({target}) satisfies Query;\n");
        }
    }
    fs::write(directory.join("dashboard.ts"), source).unwrap();
    let compiler = part("grafana/node_modules/typescript/bin/tsc");
    let ran = Command::new("node").arg(compiler).arg("-p").arg(&directory).output().expect("node");
    assert_eq!(ran.status.success(), ran.stdout.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_dashboard_is_one_by_grafanas_own_types() {
    assert_eq!(complaints("grafana", &dashboard()), "");
    // The compiler does look.
    for (place, field) in [
        ("/panels/0", "tittle"),
        ("/panels/0/gridPos", "width"),
        ("/panels/0/options", "graphMod"),
        ("/panels/5/options", "textMode"),
        ("/panels/7/options", "legnd"),
        ("/panels/7/targets/0", "legendFormt"),
        ("/panels/7/fieldConfig/defaults", "units"),
    ] {
        let mut wrong = dashboard();
        wrong.pointer_mut(place).unwrap()[field] = json!("x");
        assert_ne!(complaints("grafana-wrong", &wrong), "", "{place}: {field}");
    }
}

#[test]
fn the_dashboard_has_what_people_expect_of_one_that_is_shared() {
    let dashboard = dashboard();
    assert_eq!(dashboard["editable"], false, "it comes from the chart, which would overwrite what is edited");
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().filter(|title| !title.is_empty()).expect("a title");
        let described = panel["description"].as_str().is_some_and(|text| text.ends_with('.'));
        assert!(described, "{title}: no description");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}: no unit");
        assert_eq!(panel["datasource"], source, "{title}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{title}: {place}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{title}");
            let (expression, legend) = (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
            assert!(!legend.is_empty(), "{title}: no legend of {expression}");
            // A fixed interval shows nothing where Prometheus scrapes less often.
            let over_time = expression.matches("rate(").count() + expression.matches("increase(").count();
            assert_eq!(expression.matches("[$__rate_interval]").count(), over_time, "{title}: {expression}");
        }
    }
}
