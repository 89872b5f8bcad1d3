use super::*;

#[test]
fn every_family_is_exposed_with_bounded_labels() {
    let metrics = Metrics::default();
    metrics.request("ns/a", "GET", Some(200), Duration::from_millis(30));
    metrics.request("ns/a", "BREW", Some(999), Duration::from_millis(30));
    metrics.request("ns/a", "POST", None, Duration::from_secs(30));
    metrics.sweep("ns/a", Duration::from_millis(1500));
    metrics.operation("ns/a", "Create");
    metrics.error("ns/a", "timeout");
    metrics.queue("ns/a", "removal", 3, Duration::from_millis(2500));
    metrics.guard("ns/a", "removals", 2, 5);
    metrics.guard("ns/a", "unheard of", 2, 5);
    metrics.holds("ns/a", 1, [0, 0, 7, 0, 3]);
    metrics.groups("ns/a", "synced", 4);
    metrics.members("ns/a", 100, 1);
    metrics.users("ns/a", "Synced", 25);
    metrics.leader(true);
    let text = metrics.encode();
    for line in [
        concat!("scim_operator_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        r#"scim_operator_requests_total{connection="ns/a",method="GET",code="200"} 1"#,
        r#"scim_operator_requests_total{connection="ns/a",method="other",code="other"} 1"#,
        r#"scim_operator_requests_total{connection="ns/a",method="POST",code="none"} 1"#,
        r#"scim_operator_request_duration_seconds_bucket{le="0.05",connection="ns/a",method="GET"} 1"#,
        r#"scim_operator_sweep_duration_seconds{connection="ns/a"} 1.5"#,
        r#"scim_operator_operations_total{connection="ns/a",type="Create"} 1"#,
        r#"scim_operator_errors_total{connection="ns/a",reason="timeout"} 1"#,
        r#"scim_operator_queue_depth{connection="ns/a",lane="removal"} 3"#,
        r#"scim_operator_queue_oldest_seconds{connection="ns/a",lane="removal"} 2.5"#,
        r#"scim_operator_guard_used{connection="ns/a",guard="removals"} 2"#,
        r#"scim_operator_held_operations{connection="ns/a",type="deactivations"} 7"#,
        r#"scim_operator_held_operations{connection="ns/a",type="memberships"} 3"#,
        r#"scim_operator_users{connection="ns/a",state="Synced"} 25"#,
        r#"scim_operator_groups{connection="ns/a",state="synced"} 4"#,
        r#"scim_operator_memberships_total{connection="ns/a",type="added"} 100"#,
        r#"scim_operator_memberships_total{connection="ns/a",type="removed"} 1"#,
        "scim_operator_leader 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn the_series_of_a_connection_come_and_go_with_it() {
    let metrics = Metrics::default();
    let nothing = metrics.encode();
    metrics.begin("ns/a");
    metrics.request("ns/a", "GET", Some(429), Duration::from_millis(30));
    metrics.request("ns/a", "BREW", None, Duration::from_millis(30));
    let text = metrics.encode();
    assert!(text.contains(r#"scim_operator_errors_total{connection="ns/a",reason="timeout"} 0"#), "{text}");
    metrics.end("ns/a");
    let left = metrics.encode();
    assert!(!left.contains("ns/a"), "{left}");
    assert_eq!(
        left.lines().filter(|line| !line.starts_with('#')).count(),
        nothing.lines().filter(|line| !line.starts_with('#')).count()
    );
}
