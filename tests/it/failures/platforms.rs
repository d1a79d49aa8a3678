//! The rows of forges and clouds.

use serde_json::{Value, json};

use super::{Row, Sent, row};

pub(super) fn forges() -> Vec<Row> {
    let vercel = |kind: &str| json!({"type": kind, "createdAt": 1_767_322_800_000_u64, "payload": {"target": null, "project": {"id": "p"}, "deployment": {"id": "d", "name": "shop", "meta": {"githubCommitRef": "topic"}}}});
    let hub = |event: &'static str, body: Value| (Some(("x-github-event", event)), body);
    let repository = json!({"full_name": "o/r"});
    let run = |id: u64, conclusion: &str| {
        hub(
            "workflow_run",
            json!({"action": "completed", "repository": repository, "workflow_run": {"id": id, "name": "CI", "workflow_id": 77, "run_attempt": 1, "head_branch": "main", "status": "completed", "conclusion": conclusion}}),
        )
    };
    let requested = hub(
        "workflow_run",
        json!({"action": "requested", "repository": repository, "workflow_run": {"id": 8, "name": "CI", "workflow_id": 77, "head_branch": "main", "status": "queued", "conclusion": null}}),
    );
    let deployment = hub(
        "deployment",
        json!({"action": "created", "repository": repository, "deployment": {"id": 1, "environment": "production"}}),
    );
    let mut rows = vec![row(
        10,
        "a preview, whose target is null, was refused",
        "vercel",
        vec![vercel("deployment.error"), vercel("deployment.succeeded")],
        &[("p::topic", "resolved", "warning")],
    )];
    let github: Vec<Sent> =
        vec![deployment, run(8, "skipped"), run(8, "neutral"), requested, run(9, "failure"), run(10, "success")];
    rows.push(Row {
        sent: github,
        ..row(14, "deployments and skipped runs paged", "github", vec![], &[("workflow:o/r:77:main", "resolved", "error")])
    });
    let job = json!({
        "object_kind": "build", "ref": "main", "build_id": 1, "build_name": "test", "build_stage": "test", "build_status": "failed",
        "build_allow_failure": true, "project_id": 5, "project_name": "g / p", "commit": {"id": 2366, "message": "m"}, "environment": null,
        "repository": {"name": "p", "homepage": "https://gl.example/g/p"}, "project": {"id": 5, "path_with_namespace": "g/p"},
    });
    let pipeline = |id: u64, status: &str| {
        let body = json!({
            "object_kind": "pipeline", "object_attributes": {"id": id, "ref": "main", "status": status, "source": "push"}, "builds": [],
            "project": {"id": 5, "path_with_namespace": "g/p", "web_url": "https://gl.example/g/p"},
        });
        (Some(("x-gitlab-event", "Pipeline Hook")), body)
    };
    rows.push(Row {
        sent: vec![
            (Some(("x-gitlab-event", "Job Hook")), job),
            pipeline(1, "running"),
            pipeline(2, "failed"),
            pipeline(3, "success"),
        ],
        ..row(9, "the next green run closed nothing; jobs were refused", "gitlab", vec![], &[("*", "resolved", "error")])
    });
    let status = |state: &str| {
        let body = json!({
            "repository": {"full_name": "t/r", "uuid": "{1}"}, "actor": {"display_name": "e"},
            "commit_status": {"name": "build", "key": "k", "state": state, "refname": "main", "type": "build", "url": "https://bb.example/1"},
        });
        (Some(("x-event-key", "repo:commit_status_updated")), body)
    };
    let push =
        (Some(("x-event-key", "repo:push")), json!({"repository": {"full_name": "t/r", "uuid": "{1}"}, "push": {"changes": []}}));
    rows.push(Row {
        sent: vec![push, status("SUCCESSFUL"), status("INPROGRESS"), status("FAILED"), status("SUCCESSFUL")],
        ..row(13, "green builds and pushes paged", "bitbucket", vec![], &[("*", "resolved", "error")])
    });
    rows
}

pub(super) fn cloud() -> Vec<Row> {
    let google = |state: &str, ended_at: Value| json!({"version": "1.2", "incident": {"incident_id": "0.g", "state": state, "started_at": 1_767_322_800_u64, "ended_at": ended_at, "summary": "s", "resource_name": "vm", "severity": "Error", "scoping_project_number": 7}});
    let alarm = |state: &str, at: &str| {
        let alarm = json!({"AlarmName": "cpu", "AlarmDescription": null, "AWSAccountId": "111122223333", "NewStateValue": state, "NewStateReason": "r", "StateChangeTime": at, "Region": "EU (Ireland)", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:cpu", "Trigger": null});
        json!({"Type": "Notification", "MessageId": at, "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": alarm.to_string(), "Timestamp": at})
    };
    let azure = |status: &str| json!({"schemaId": "AzureMonitorMetricAlert", "data": {"status": status, "context": {"id": "/subscriptions/s/providers/microsoft.insights/metricAlerts/cpu", "name": "cpu", "resourceId": "/subscriptions/s/vm1", "resourceName": "vm1", "severity": "1"}}});
    vec![
        row(
            7,
            "times that are numbers were refused",
            "google-cloud-monitoring",
            vec![google("open", Value::Null), google("closed", json!(1_767_322_900))],
            &[("0.g", "resolved", "error")],
        ),
        row(
            8,
            "an alarm without a description was refused; missing data paged",
            "cloudwatch",
            vec![
                alarm("INSUFFICIENT_DATA", "2026-01-02T02:00:00.000+0000"),
                alarm("ALARM", "2026-01-02T03:00:00.000+0000"),
                alarm("OK", "2026-01-02T04:00:00.000+0000"),
            ],
            &[("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:cpu", "resolved", "critical")],
        ),
        row(
            15,
            "the older schema never resolved",
            "azure",
            vec![azure("Activated"), azure("Deactivated")],
            &[("/subscriptions/s/providers/microsoft.insights/metricalerts/cpu|/subscriptions/s/vm1", "resolved", "error")],
        ),
    ]
}
