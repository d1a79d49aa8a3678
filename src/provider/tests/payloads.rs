//! What other projects publish as real payloads, sent to the types they are meant for and to all others.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::sweep::check;
use super::*;

/// A type, a file, and the action and key of each event; `#labels` stands for the fingerprint of the first alert's labels, `#/a/b` for the text at
/// that pointer.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Real payloads that other projects publish; private test input that lies beside the repository, or does not.
#[test]
fn payloads_of_other_projects() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    if !shared.is_dir() {
        eprintln!("SKIPPED payloads_of_other_projects: there is no ../shared/payloads beside the repository");
        return;
    }
    let table: &[Row] = &[
        ("alertmanager", "alertmanager/alerta_v3_numeric_groupkey.json", &[("trigger", "#labels")]),
        ("alertmanager", "alertmanager/alerta_v4_no_fingerprint.json", &[("trigger", "#labels")]),
        ("alertmanager", "alertmanager/goalert_minimal_no_groupkey.json", &[("trigger", "#labels")]),
        (
            "alertmanager",
            "alertmanager/goalert_two_firing.json",
            &[("trigger", "791cec13fcba0368"), ("trigger", "8df98227bdd81384")],
        ),
        ("grafana", "alertmanager/goalert_two_firing.json", &[("trigger", "791cec13fcba0368"), ("trigger", "8df98227bdd81384")]),
        ("grafana", "grafana-legacy/alerta_alerting.json", &[("trigger", "rule:7")]),
        ("grafana", "grafana-legacy/alerta_ok.json", &[("resolve", "rule:7")]),
        ("grafana", "grafana-legacy/alerta_example.json", &[("trigger", "rule:1")]),
        ("grafana", "grafana-legacy/alerta_v6_multi_evalmatch.json", &[("trigger", "rule:58")]),
        ("grafana", "grafana-legacy/goalert_alerting.json", &[("trigger", "rule:1")]),
        ("coroot", "coroot/docs_incident_warning.json", &[("trigger", "incident:123ab456")]),
        ("coroot", "coroot/docs_alert_warning.json", &[("trigger", "alert:abc123")]),
        ("coroot", "coroot/docs_deployment_deployed.json", &[("resolve", "deployment:default:Deployment:app1")]),
        ("cloudwatch", "aws-cloudwatch-raw/cloudwatch_alarm_sns_payload_multiple_metrics.json", &[("trigger", "#/AlarmArn")]),
        ("cloudwatch", "aws-cloudwatch-raw/cloudwatch_alarm_sns_payload_single_metric.json", &[("trigger", "#/AlarmArn")]),
        ("eventbridge", "aws-eventbridge/aws_health_event.json", &[("trigger", "#/detail/eventArn")]),
        ("guardduty", "aws-eventbridge/guardduty_finding_high.json", &[("trigger", "sample-id-2")]),
        ("guardduty", "aws-eventbridge/guardduty_finding_low.json", &[("trigger", "sample-id-2")]),
        ("guardduty", "aws-eventbridge/guardduty_finding_medium.json", &[("trigger", "sample-id-2")]),
        ("cloudwatch", "aws-sns/alerta_cloudwatch_alarm.json", &[("trigger", "1234567890:EU (Ireland):bucketbytesAlarm")]),
        ("cloudwatch", "aws-sns/alerta_cloudwatch_insufficient_data.json", &[]),
        ("cloudwatch", "aws-sns/alerta_subscription_confirmation.json", &[]),
        (
            "cloudwatch",
            "aws-sns/lambda_cloudwatch_alarm_sns_payload_multiple_metrics.json",
            &[("trigger", "arn:aws:cloudwatch:REGION:ACCOUNT_NUMBER:alarm:EXAMPLE")],
        ),
        (
            "cloudwatch",
            "aws-sns/lambda_cloudwatch_alarm_sns_payload_single_metric.json",
            &[("trigger", "arn:aws:cloudwatch:REGION:ACCOUNT_NUMBER:alarm:EXAMPLE")],
        ),
        ("sns", "aws-sns/lambda_sns_event.json", &[("trigger", "auto:7159c73fa1eec593")]),
        ("sns", "aws-sns/tfslack_backup.json", &[]),
        ("cloudwatch", "aws-sns/tfslack_cloudwatch_alarm.json", &[("resolve", "735598076380:US (Virginia):DBMigrationRequired")]),
        ("sns", "aws-sns/tfslack_dms_notification.json", &[("trigger", "replication-task:hello-world:DMS-EVENT-0079")]),
        ("sns", "aws-sns/tfslack_guardduty_finding.json", &[("trigger", "sample-id-2")]),
        ("sns", "aws-sns/tfslack_text_message.json", &[("trigger", "auto:7c8b076848c9b376")]),
        (
            "azure",
            "azure-monitor/docs_metric_static_resolved.json",
            &[(
                "resolve",
                "/subscriptions/<subscription id>/providers/microsoft.alertsmanagement/alerts/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e",
            )],
        ),
        ("gcp", "gcp-monitoring/alerta_v1_1_open.json", &[("trigger", "f2e08c333dc64cb09f75eaab355393bz")]),
        ("gcp", "gcp-monitoring/alerta_v1_1_closed.json", &[("resolve", "f2e08c333dc64cb09f75eaab355393bz")]),
        ("gcp", "gcp-monitoring/google_sample_closed.json", &[("resolve", "0.m2d61b3s6d5d")]),
        ("better-stack", "better-stack/docs_incident_acknowledged.json", &[("acknowledge", "1")]),
        ("better-stack", "better-stack/docs_monitor_created_not_an_alert.json", &[]),
        ("cloudflare", "cloudflare/docs_advanced_ddos_attack_l4_alert.json", &[("trigger", "000eaa907ed24e78946d3a93adb2ae57")]),
        (
            "cloudflare",
            "cloudflare/docs_health_check_status_notification.json",
            &[("trigger", "000eaa907ed24e78946d3a93adb2ae57")],
        ),
        ("cloudflare", "cloudflare/docs_workers_observability_alert.json", &[("trigger", "000eaa907ed24e78946d3a93adb2ae57")]),
        ("honeycomb", "honeycomb/examples_trigger_triggered.json", &[("trigger", "abdcefg")]),
        ("newrelic", "newrelic/alerta_legacy_incident_open_test.json", &[("trigger", "incident:0")]),
        (
            "graylog",
            "graylog/alerta_stream_alert.json",
            &[("trigger", "stream:55f1509dbee8e2841898eb64:5e7a9c8d-9bb1-47b6-b8db-4a3a83a25e0c")],
        ),
        ("riemann", "riemann/alerta_ok.json", &[("resolve", "hostbob:servicejane")]),
        ("vrealize", "vmware-vrealize/alerta_active.json", &[("trigger", "sample-alert-uuid")]),
        ("sentry", "sentry/docs_issue_created.json", &[("trigger", "1170820242")]),
        ("sentry", "sentry/docs_metric_alert_resolved.json", &[("resolve", "metric:4")]),
        ("sentry", "sentry/zulip_issue_resolved.json", &[("resolve", "1638821441")]),
        ("splunk-observability", "splunk-observability/docs_2016_anomalous_latency.json", &[("trigger", "<id>")]),
        ("splunk-observability", "splunk-observability/docs_2016_ok_memory.json", &[("resolve", "BCDEFGHIJKL")]),
        ("opsgenie", "opsgenie/zulip_create.json", &[("trigger", "#/alert/alias")]),
        ("opsgenie", "opsgenie/zulip_acknowledge.json", &[("acknowledge", "#/alert/alias")]),
        ("opsgenie", "opsgenie/zulip_close.json", &[("resolve", "#/alert/alias")]),
        ("pingdom", "pingdom/alerta_http_down.json", &[("trigger", "803318")]),
        ("pingdom", "pingdom/alerta_http_up.json", &[("resolve", "803318")]),
        ("site24x7", "site24x7/goalert_down.json", &[("trigger", r"name:GoAlert Site24x7 Test:https\://example.com/test-page")]),
        ("uptimerobot", "uptimerobot/zulip_monitor_down_custom_snake_case.json", &[("trigger", "url:server1.example.com")]),
        ("uptimerobot", "uptimerobot/zulip_monitor_up_custom_snake_case.json", &[("resolve", "url:server2.example.com")]),
        ("bitbucket", "bitbucket/pull_request_merged.json", &[]),
        ("bitbucket", "bitbucket/repo_push.json", &[]),
        ("bitbucket", "bitbucket/repo_commit_status_created.json", &[]),
        (
            "bitbucket",
            "bitbucket/repo_commit_status_updated.json",
            &[("resolve", "status:{673a6070-3421-46c9-9d48-90745f7bfe8e}:mybuildtool:")],
        ),
        ("azure-devops", "azure-devops/git_push.json", &[]),
        (
            "azure-devops",
            "azure-devops/build_complete.json",
            &[("resolve", "build:be9b3917-87e6-42a4-a549-2bc06a7a878f:2:master")],
        ),
        ("pagerduty", "pagerduty/docs_v3_webhook_1.json", &[("trigger", "incident:PGR0VU2")]),
        ("pagerduty", "pagerduty/docs_v3_webhook_2.json", &[]),
        (
            "pagerduty",
            "pagerduty/alerta_webhook_v1_ack_resolve.json",
            &[("acknowledge", "incident:PIJ90N7"), ("resolve", "incident:PIJ90N7")],
        ),
        ("gitlab", "gitlab/pipeline_event.json", &[("resolve", "pipeline:1::merge_request:1")]),
        ("gitlab", "gitlab/build_event.json", &[]),
        ("gitlab", "gitlab/job_event.json", &[]),
        ("gitlab", "gitlab/deployment_event.json", &[("resolve", "deployment:30:staging")]),
        ("gitlab", "gitlab/issue_event.json", &[]),
        ("gitlab", "gitlab/confidential_issue_event.json", &[]),
        ("github", "github/ping__payload.json", &[]),
        ("github", "github/workflow_run__requested.json", &[]),
        ("github", "github/workflow_run__completed.json", &[("resolve", "workflow:octo-org/octo-repo:2823525:master")]),
        (
            "github",
            "github/workflow_run__completed_with_pull_requests.json",
            &[("resolve", "workflow:octo-org/octo-repo:2823525:master")],
        ),
        (
            "github",
            "github/workflow_job__completed_failure_with_organization.json",
            &[("trigger", "job:Codertocat/Hello-World:CodeQL:linters:main")],
        ),
        (
            "github",
            "github/workflow_job__completed_success_with_organization.json",
            &[("resolve", "job:Codertocat/Hello-World:CodeQL:linters:main")],
        ),
        ("github", "github/check_run__created.json", &[]),
        (
            "github",
            "github/check_run__completed.json",
            &[("resolve", "check:Codertocat/Hello-World:29310:Octocoders-linter:changes")],
        ),
        ("github", "github/check_suite__completed.json", &[("resolve", "suite:Codertocat/Hello-World:29310:changes")]),
        ("github", "github/deployment_status__gh_pages.json", &[]),
        (
            "github",
            "github/status__payload.json",
            &[
                ("resolve", "status:Codertocat/Hello-World:default:master"),
                ("resolve", "status:Codertocat/Hello-World:default:changes"),
                ("resolve", "status:Codertocat/Hello-World:default:gh-pages"),
            ],
        ),
        ("github", "github/dependabot_alert__created.json", &[("trigger", "dependabot_alert:wolfy1339/pika-pack:20")]),
        ("github", "github/dependabot_alert__fixed.json", &[("resolve", "dependabot_alert:octocat/hello-world:1")]),
        ("github", "github/code_scanning_alert__created.json", &[("trigger", "code_scanning_alert:Codertocat/Hello-World:10")]),
        ("github", "github/code_scanning_alert__reopened.json", &[("trigger", "code_scanning_alert:Codertocat/Hello-World:10")]),
        ("github", "github/code_scanning_alert__fixed.json", &[("resolve", "code_scanning_alert:Codertocat/Hello-World:10")]),
        (
            "github",
            "github/code_scanning_alert__closed_by_user.json",
            &[("resolve", "code_scanning_alert:Codertocat/Hello-World:10")],
        ),
        (
            "github",
            "github/secret_scanning_alert__reopened.json",
            &[("trigger", "secret_scanning_alert:Codertocat/Hello-World:191")],
        ),
        (
            "github",
            "github/repository_vulnerability_alert__create.json",
            &[("trigger", "repository_vulnerability_alert:Codertocat/Hello-World:2")],
        ),
        (
            "github",
            "github/repository_vulnerability_alert__dismiss.json",
            &[("resolve", "repository_vulnerability_alert:Codertocat/Hello-World:2")],
        ),
        // Tools without a type of their own are sent to `webhook`, which guesses.
        ("webhook", "graylog/alerta_stream_alert.json", &[("trigger", "stream.id:55f1509dbee8e2841898eb64")]),
        ("webhook", "riemann/alerta_ok.json", &[("resolve", "auto:90834e725c6b6aa5")]),
        ("webhook", "vmware-vrealize/alerta_active.json", &[("trigger", "#/alertId")]),
    ];
    for (kind, file, expected) in table {
        let body: Value = serde_json::from_slice(&fs::read(shared.join(file)).unwrap()).unwrap();
        let normalised = normalise(kind, &Value::Null, &body).unwrap_or_else(|why| panic!("{file}: {why}"));
        let got: Vec<_> = events(&normalised).filter(|event| !event.dedup_key.as_str().starts_with("truncated:")).collect();
        assert_eq!(got.len(), expected.len(), "{file}");
        for (event, (action, key)) in got.iter().zip(*expected) {
            let labels = body.pointer("/alerts/0/labels").and_then(Value::as_object);
            let key = match key.strip_prefix('#') {
                Some("labels") => labels::fingerprint(labels.unwrap()),
                Some(pointer) => body.pointer(pointer).and_then(read::scalar).unwrap().into_owned(),
                None => (*key).to_owned(),
            };
            assert_eq!((event.action.as_str(), event.dedup_key.as_str()), (*action, key.as_str()), "{file}");
        }
    }
    let mut files: Vec<String> = Vec::new();
    for folder in fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().into_string().unwrap();
        let inside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        files.extend(inside.map(|file| format!("{name}/{}", file.to_string_lossy())));
    }
    files.sort();
    // Those that are there, each at least once, and no others.
    let mut known: Vec<String> = table.iter().map(|(_, file, _)| (*file).to_owned()).collect();
    known.sort();
    known.dedup();
    assert_eq!(known, files, "the table must list every file of the folder");
    assert!(files.len() >= 90, "{} files", files.len());
    every_file(&shared);
}

/// Each file, sent to each type: nothing breaks, whatever comes out is valid.
fn every_file(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            every_file(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        for provider in Registry::built_in().tools() {
            let request = Request {
                body: &bytes,
                json: json.as_ref(),
                headers: &Headers::default(),
                query: &[],
                subpath: "",
                received_at: received_at(),
                options: &Compiled::none(),
            };
            check(&path.display().to_string(), json.as_ref(), &provider.normalise(&request));
        }
    }
}
