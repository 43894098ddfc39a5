//! People in requests: an access token as `Authorization: Bearer`, or the cookies of a browser.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::{bearer, cookies};
use crate::accounts::sessions::Kind;
use crate::accounts::{Company, Login, Role, Sessions};
use crate::base::id::CompanyId;
use crate::base::{Actor, Asker, Error, Result, Secret};
use crate::web::error::Problem;
use crate::web::request_id;

/// A person who has signed in, be it only to hand in papers: for what concerns nobody but the person.
pub struct AnySignIn {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
}

/// A person who has signed in and may do what the role allows.
pub struct SignedIn {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
}

/// A person of an active company.
pub struct Merchant {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
    /// The company.
    pub company: CompanyId,
}

/// A person who runs the platform.
pub struct Staff {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
}

/// A person who decides who runs the platform.
pub struct SuperAdmin {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
}

/// A person of a company that hands in its papers: with a sign-in good for nothing else, or of an active company.
/// `company.state` tells which; a company that was approved meanwhile is active, and the sign-in still as limited.
pub struct Onboarding {
    /// The sign-in and whose it is.
    pub login: Login,
    request_id: Option<String>,
    /// The company.
    pub company: Company,
}

/// The sign-in of a request.
///
/// # Errors
/// `Unauthenticated` without a good one; `Forbidden` when a browser sends cookies along with a request that changes
/// something and does not come from a page of ours.
pub async fn login_of(request: &HttpRequest) -> Result<Login> {
    let sessions = request.app_data::<web::Data<Sessions>>().cloned();
    let sessions = sessions.ok_or_else(|| Error::internal("no sessions are set up"))?;
    let token = person_credential(request)?.ok_or_else(missing)?;
    sessions.authenticate(token.expose()).await
}

/// The access token of a request. Never from its address: addresses end up in logs and histories.
pub(super) fn person_credential(request: &HttpRequest) -> Result<Option<Secret>> {
    if let Some(token) = bearer(request) {
        return Ok(Some(token));
    }
    let Some(token) = cookies::access_token(request) else { return Ok(None) };
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || cookies::is_from_own_page(request) {
        return Ok(Some(token));
    }
    Err(Error::Forbidden("This request does not come from a page of this site; send it from there.".into()))
}

fn missing() -> Error {
    Error::Unauthenticated("Invalid or missing authentication token".into())
}

/// A full sign-in; a limited one does not open what is asked for.
async fn full(request: &HttpRequest) -> Result<Login> {
    let login = login_of(request).await?;
    if login.kind == Kind::Full { Ok(login) } else { Err(missing()) }
}

macro_rules! extractor {
    ($name:ident, |$request:ident| $read:expr) => {
        impl FromRequest for $name {
            type Error = Problem;
            type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let $request = request.clone();
                Box::pin(async move {
                    let read: Result<Self> = $read.await;
                    Ok(read?)
                })
            }
        }

        impl $name {
            /// The party that acts.
            #[must_use]
            pub fn actor(&self) -> Actor {
                self.login.person.actor()
            }

            /// The party that asks with this request.
            #[must_use]
            pub fn asker(&self) -> Asker {
                self.login.person.asker(self.request_id.clone())
            }
        }
    };
}

extractor!(AnySignIn, |request| async {
    Ok(Self { login: login_of(&request).await?, request_id: request_id(&request) })
});

extractor!(SignedIn, |request| async { Ok(Self { login: full(&request).await?, request_id: request_id(&request) }) });

extractor!(Merchant, |request| async {
    let login = full(&request).await?;
    let company = login.company.as_ref().map(|company| company.id);
    let company = company.filter(|_| login.person.role == Role::Vendor);
    let company = company.ok_or_else(|| Error::Forbidden("This is for people of a company.".into()))?;
    Ok(Self { login, request_id: request_id(&request), company })
});

extractor!(Staff, |request| async {
    let login = full(&request).await?;
    if !login.person.role.is_staff() {
        return Err(Error::Forbidden("This is for people who run the platform.".into()));
    }
    Ok(Self { login, request_id: request_id(&request) })
});

extractor!(SuperAdmin, |request| async {
    let login = full(&request).await?;
    if login.person.role != Role::SuperAdmin {
        return Err(Error::Forbidden("This is for super admins.".into()));
    }
    Ok(Self { login, request_id: request_id(&request) })
});

extractor!(Onboarding, |request| async {
    let login = login_of(&request).await?;
    let company = login.company.clone().filter(|_| login.person.role == Role::Vendor);
    let company = company.ok_or_else(|| Error::Forbidden("This is for people of a company.".into()))?;
    Ok(Self { login, request_id: request_id(&request), company })
});
