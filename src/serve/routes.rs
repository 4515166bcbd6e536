//! The addresses of the service: read a request, hand it to the threads that review, send what came of it.
//!
//! Goes in: requests. Comes out: responses, a line of log each (its number, the institution, the address, milliseconds,
//! counts: no person, no body), figures. In this order, and whoever fails one step costs nothing of the next: key, rate,
//! body within its time and size, a place in the queue. Deliberately unknown here: what messages mean, how a review is made.
//!
//! To add an address: a line in [`router`], its description in `openapi`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Address, Asking, Refusal, Reply, Said};
use super::feedback::Kept;
use super::keys::Institution;
use super::{State, openapi};
use crate::clock::{self, Deadline, Stopwatch};
use crate::messages::{Feedback, Infno};
use crate::operations::review::Stage;

type Shared = extract::State<Arc<State>>;

/// All addresses.
pub(super) fn router(state: Arc<State>) -> Router {
    let asked = |address: Address| -> MethodRouter<Arc<State>> {
        post(move |extract::State(state): Shared, headers: HeaderMap, body: Body| ask(state, address, headers, body))
    };
    Router::new()
        .route("/api/v1/review", asked(Address::Review))
        .route("/api/v1/3101", asked(Address::National(Some(Infno::Before))))
        .route("/api/v1/3102", asked(Address::National(Some(Infno::During))))
        .route("/api/v1/3103", asked(Address::National(Some(Infno::Feedback))))
        .route("/api/v1/national", asked(Address::National(None)))
        .route("/openapi.json", get(description))
        .route("/healthz", get(health))
        .route("/metrics", get(figures))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .with_state(state)
}

/// A request, its number and since when it is here.
struct Came {
    id: String,
    received: String,
    since: Stopwatch,
}

async fn ask(state: Arc<State>, address: Address, headers: HeaderMap, body: Body) -> Response {
    let received = clock::now_precisely();
    let came = Came { id: state.next_id(&received), received, since: Stopwatch::start() };
    let mut since = came.since;
    let by = who(&state, &headers);
    let reply = match &by {
        Ok(by) => answered(&state, address, by.clone(), &headers, body, &came, &mut since).await,
        Err(refusal) => Err(Refusal { said: refusal.said.clone(), ..*refusal }),
    };
    let reply =
        reply.unwrap_or_else(|refusal| refusal.reply(address, &state.rules.now().codes, &came.id, &came.received));
    let took = since.elapsed();
    state.figures.answered(address.name(), reply.outcome, took);
    let institution = by.as_ref().ok().and_then(Option::as_deref).map_or("-", |by| by.code.as_str());
    tracing::info!(
        request = %came.id,
        institution,
        address = address.name(),
        outcome = reply.outcome,
        ms = %format_args!("{:.1}", took.as_secs_f64() * 1000.0),
        claims = reply.claims,
        findings = reply.findings,
        not_run = reply.not_run,
    );
    response(reply, &came.id)
}

/// Every step after the key. `since` begins when the body is there: how slowly it was sent is not our time.
async fn answered(
    state: &Arc<State>,
    address: Address,
    by: Option<Arc<Institution>>,
    headers: &HeaderMap,
    body: Body,
    came: &Came,
    since: &mut Stopwatch,
) -> Result<Reply, Refusal> {
    if let Some(Err(wait)) = by.as_ref().map(|by| by.count()) {
        state.figures.limited();
        let said = "问得太快，超过了这把密钥的速率；等一等再问";
        return Err(Refusal::new(429, "rate_limited", said).after(wait.as_secs() + 1));
    }
    let (body, room) = body_of(state, headers, body).await?;
    *since = Stopwatch::start();
    let asking = Asking {
        address,
        by: by.clone(),
        body,
        id: came.id.clone(),
        received: came.received.clone(),
        until: Deadline::after(state.budget),
        today: clock::today(),
    };
    let shared = Arc::clone(state);
    let told = state.crew.ask(move || {
        let said = answer::answer(&shared, &asking);
        drop(room);
        said
    });
    let busy = || Refusal::new(503, "busy", "正在审的太多，没有排上；请稍后重试，或按没有提醒处理").after(1);
    // Who does not answer has panicked.
    match told.map_err(|_| busy())?.await.map_err(|_| answer::failed())? {
        Said::Reply(reply) => Ok(reply),
        Said::Feedback(feedback, question) => {
            let reply = keep(state, *feedback, by, came).await?;
            Ok(match question {
                Some(question) => Reply { body: state.remembered.keep(question, reply.body.clone()), ..reply },
                None => reply,
            })
        }
    }
}

/// Keeps a feedback; only then it is acknowledged.
async fn keep(
    state: &Arc<State>,
    feedback: Feedback,
    by: Option<Arc<Institution>>,
    came: &Came,
) -> Result<Reply, Refusal> {
    let Some(feedbacks) = state.feedback.clone() else {
        let said = "反馈没有登记：这个服务没有打开反馈登记（`--feedback`）";
        return Err(Refusal::new(501, "not_kept", said));
    };
    let by = by.map(|by| by.code.clone()).or_else(|| feedback.fixmedins_code.clone()).unwrap_or_default();
    let at: String = came.received.chars().take(19).collect();
    // It waits for the disk, and others may wait together with it. It is counted there: whoever sent it may be gone by then.
    let shared = Arc::clone(state);
    let kept = tokio::task::spawn_blocking(move || {
        let kept = feedbacks.keep(&feedback, &by, &at)?;
        if kept == Kept::Now {
            for warning in &feedback.warnings {
                shared.figures.fed_back(match warning.done {
                    crate::messages::Done::Kept => "kept",
                    crate::messages::Done::Changed => "changed",
                });
            }
        }
        Ok::<_, std::io::Error>((kept, feedback))
    });
    let (kept, feedback) = match kept.await {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            tracing::error!(request = %came.id, %error, "a feedback could not be kept");
            return Err(not_kept());
        }
        Err(_) => return Err(not_kept()),
    };
    let reply = answer::acknowledged(&feedback, &state.rules.now().codes, &came.id, &came.received);
    Ok(if kept == Kept::Before { Reply { outcome: "repeated", ..reply } } else { reply })
}

fn not_kept() -> Refusal {
    Refusal::new(500, "not_kept", "反馈没有登记成功，请重发").after(1)
}

/// Who asks, by the key; nothing where there are no keys.
fn who(state: &State, headers: &HeaderMap) -> Result<Option<Arc<Institution>>, Refusal> {
    let Some(keys) = &state.keys else {
        // Somebody's browser on this machine that a page elsewhere makes ask.
        if headers.contains_key(header::ORIGIN) {
            return Err(Refusal::new(403, "not_allowed", "没有密钥的服务不答网页：请用 --keys 启动"));
        }
        return Ok(None);
    };
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = said("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let Some(key) = bearer.or_else(|| said("x-api-key")).map(str::trim).filter(|key| !key.is_empty()) else {
        let how = "没有密钥：请在 `Authorization: Bearer 密钥` 或 `X-Api-Key: 密钥` 里写上";
        return Err(Refusal::new(401, "not_allowed", how));
    };
    let known = keys.now().of(key).cloned();
    known.map(Some).ok_or_else(|| Refusal::new(401, "not_allowed", "密钥不对，或已经停用"))
}

/// The body of a request, and the room that it takes among all that are here.
async fn body_of(
    state: &Arc<State>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|how| how != "identity");
    if packed {
        return Err(Refusal::new(415, "refused", "正文不要压缩：这里不读 `Content-Encoding`"));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > state.limits.bytes) {
        return Err(too_large(state));
    }
    let time = state.bounds.body_time;
    let late = || Refusal::new(408, "late", format!("正文没有在 {} 秒内到齐", time.as_secs_f32()));
    tokio::time::timeout(time, whole(state, body)).await.map_err(|_| late())?
}

fn too_large(state: &State) -> Refusal {
    Refusal::new(413, "refused", format!("消息超过 {} 字节，分几次送", state.limits.bytes))
}

async fn whole(state: &Arc<State>, mut body: Body) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
    let mut read: Vec<u8> = Vec::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Refusal::new(400, "late", "正文没有到齐"))?;
        let Ok(part) = frame.into_data() else { continue };
        if read.len() + part.len() > state.limits.bytes {
            return Err(too_large(state));
        }
        read.extend_from_slice(&part);
        let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = read.len().div_ceil(1024).saturating_sub(held);
        let more = Arc::clone(&state.room).try_acquire_many_owned(u32::try_from(wanted).unwrap_or(u32::MAX));
        let more = more.map_err(|_| Refusal::new(503, "busy", "正在收的消息太多；请稍后重试").after(1))?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
    }
    Ok((Bytes::from(read), room))
}

fn response(reply: Reply, id: &str) -> Response {
    let mut response = json_response(reply.status, reply.body.into());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", id);
    }
    if let Some(seconds) = reply.retry {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if reply.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn json_response(status: u16, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What all addresses take and answer.
async fn description() -> Response {
    json_response(200, openapi::text().into())
}

/// Whether it works, by which rules, and whether files that changed could not be taken in.
async fn health(extract::State(state): Shared) -> Response {
    let rules = state.rules.now();
    let trouble: Vec<(&str, Option<String>)> = vec![
        ("rules", state.rules.trouble()),
        ("keys", state.keys.as_ref().and_then(|keys| keys.trouble())),
        ("certificate", state.certificate.as_ref().and_then(|certificate| certificate.trouble())),
    ];
    let not_taken: serde_json::Map<String, Value> =
        trouble.into_iter().filter_map(|(what, why)| Some((what.to_owned(), why?.into()))).collect();
    let (waiting, at_work) = state.crew.load();
    let count = |stage| rules.reviewer.rules(stage).count();
    let body = json!({
        "status": if not_taken.is_empty() { "ok" } else { "old" },
        "version": env!("CARGO_PKG_VERSION"),
        "rule_set_hash": rules.reviewer.library().set.hash,
        "decisions_hash": rules.reviewer.policy().hash,
        "rules": { "before": count(Stage::Before), "during": count(Stage::During) },
        "not_taken_in": not_taken,
        "night": state.nights.as_ref().map(|nights| nights.health()),
        "waiting": waiting,
        "at_work": at_work,
        "up_seconds": state.since.elapsed().as_secs(),
    });
    json_response(200, body.to_string().into())
}

async fn figures(extract::State(state): Shared) -> Response {
    let rules = state.rules.now();
    let asked = rules.reviewer.library().plans.len();
    let text = state.figures.text(state.crew.load(), state.remembered.size(), asked);
    let mut response = Response::new(text.into());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn nowhere() -> Response {
    let said = "没有这个地址：POST /api/v1/review、/api/v1/3101、/api/v1/3102、/api/v1/3103、/api/v1/national，GET /openapi.json、\
                /healthz、/metrics";
    json_response(404, json!({ "error": said }).to_string().into())
}

async fn not_so(method: Method) -> Response {
    let said = format!("这个地址不答 {method}：/api/v1/ 下面用 POST，别的用 GET");
    json_response(405, json!({ "error": said }).to_string().into())
}

impl State {
    /// The number of a request, thirty digits as `inf_refmsgid` has them: region, time, a running number.
    fn next_id(&self, received: &str) -> String {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) % 10_000_000_000;
        let time: String = received.chars().filter(char::is_ascii_digit).take(14).collect();
        format!("{}{time}{number:010}", self.region)
    }
}
