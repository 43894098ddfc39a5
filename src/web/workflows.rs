//! A company's own steps: read, set, given up.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::SignedIn;
use super::body::Incoming;
use super::error::{Answer, ProblemView};
use super::query::Query;
use crate::accounts::Companies;
use crate::base::id::CompanyId;
use crate::base::{Error, Result};
use crate::orders::workflow::{Edge, Graph, Workflow};
use crate::orders::{Status, Workflows};

/// Steps in place of the fixed ones that vendors have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetWorkflow {
    /// Slug or id; your own when left out.
    company: Option<String>,
    /// Where an order begins that comes without a status.
    #[schema(example = "pending")]
    initial: Status,
    /// The steps your people may take. Every status they name must be reachable and must lead to `delivered`, `cancelled`
    /// or `returned`, where orders end.
    #[schema(min_items = 1, max_items = 132, example = json!([{"from": "pending", "to": "packed"},
        {"from": "packed", "to": "shipped", "approval": true}, {"from": "shipped", "to": "delivered", "confirmation": true}]))]
    edges: Vec<Edge>,
    /// How long a step waits for approval, in hours; the deployment's own setting when left out.
    #[schema(minimum = 1, maximum = 720)]
    approval_hours: Option<u32>,
    /// After how many days without the customer's word a step counts as confirmed; the deployment's own setting when
    /// left out.
    #[schema(minimum = 1, maximum = 90)]
    auto_confirm_days: Option<u32>,
}

/// One version of a company's steps.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub struct WorkflowView {
    company: Uuid,
    /// 1, 2, 3 … Orders keep the version they began with.
    version: i32,
    initial: Status,
    edges: Vec<Edge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_hours: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_confirm_days: Option<u32>,
    created_by: String,
    created_at: Timestamp,
    /// Since when new orders do not begin with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<Timestamp>,
}

impl From<Workflow> for WorkflowView {
    fn from(workflow: Workflow) -> Self {
        Self {
            company: workflow.company.0,
            version: workflow.version,
            initial: workflow.graph.initial,
            edges: workflow.graph.edges,
            approval_hours: workflow.graph.approval_hours,
            auto_confirm_days: workflow.graph.auto_confirm_days,
            created_by: workflow.created_by,
            created_at: workflow.created_at,
            retired_at: workflow.retired_at,
        }
    }
}

/// All versions of a company's steps.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowList)]
pub struct WorkflowListView {
    /// What new orders begin with; null for the fixed steps that all vendors have.
    current: Option<i32>,
    /// The newest first.
    data: Vec<WorkflowView>,
}

/// The company that is meant. To people of one, another's looks like one that is not theirs, whether it exists or not.
async fn company_of(person: &SignedIn, name: Option<&str>, companies: &Companies) -> Result<CompanyId> {
    let own = person.actor().company();
    let Some(name) = name else {
        return own.ok_or_else(|| Error::invalid_field("company", "required", "company names whose workflow it is"));
    };
    let found = match companies.get(name).await {
        Err(Error::NotFound(_)) => None,
        found => Some(found?.id),
    };
    match own {
        Some(own) if found == Some(own) => Ok(own),
        Some(_) => Err(Error::Forbidden("This credential belongs to another company".into())),
        None => found.ok_or_else(|| {
            Error::invalid_field("company", "unknown_company", "company must be the slug or id of a company")
        }),
    }
}

async fn company_in_query(request: &HttpRequest, person: &SignedIn, companies: &Companies) -> Result<CompanyId> {
    let query = Query::of(request, &["company"])?;
    company_of(person, query.one("company")?, companies).await
}

/// Lists the versions of a company's steps.
#[utoipa::path(get, path = "/api/v1/workflows", tag = "Workflows",
    params(("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 200, description = "The newest first", body = WorkflowListView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_workflows(
    request: HttpRequest,
    person: SignedIn,
    companies: Data<Companies>,
    workflows: Data<Workflows>,
) -> Answer {
    let company = company_in_query(&request, &person, &companies).await?;
    let all = workflows.list(company).await?;
    let current = all.iter().find(|one| one.retired_at.is_none()).map(|one| one.version);
    let data = all.into_iter().map(WorkflowView::from).collect();
    Ok(HttpResponse::Ok().json(WorkflowListView { current, data }))
}

/// Sets what new orders begin with. Orders that have begun keep their version; what is so already makes no new one.
#[utoipa::path(put, path = "/api/v1/workflows", tag = "Workflows", request_body = SetWorkflow,
    responses((status = 200, description = "The version that new orders begin with", body = WorkflowView),
        (status = 400, description = "`errors` names each violation", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden),
        (status = 409, description = "`set_meanwhile` or `too_many_versions`", body = ProblemView,
            content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn set_workflow(
    incoming: Incoming,
    person: SignedIn,
    companies: Data<Companies>,
    workflows: Data<Workflows>,
) -> Answer {
    let request_id = incoming.request_id();
    let body: SetWorkflow = incoming.json().await?;
    let company = company_of(&person, body.company.as_deref(), &companies).await?;
    let graph = Graph {
        initial: body.initial,
        edges: body.edges,
        approval_hours: body.approval_hours,
        auto_confirm_days: body.auto_confirm_days,
    };
    let workflow = workflows.set(person.actor(), company, graph, request_id).await?;
    Ok(HttpResponse::Ok().json(WorkflowView::from(workflow)))
}

/// Lets new orders begin with the fixed steps again.
#[utoipa::path(delete, path = "/api/v1/workflows", tag = "Workflows",
    params(("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 204, description = "New orders begin with the fixed steps"),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound)),
    security(("person" = []), ("cookie" = [])))]
pub async fn retire_workflow(
    request: HttpRequest,
    person: SignedIn,
    companies: Data<Companies>,
    workflows: Data<Workflows>,
) -> Answer {
    let company = company_in_query(&request, &person, &companies).await?;
    workflows.retire(person.actor(), company, super::request_id(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}
