//! SQL types that read and write alike on both databases: identifiers and instants.
//!
//! `Id` is `uuid` on PostgreSQL and a 16-byte blob on SQLite; `Instant` is `timestamptz` and integer microseconds.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, SqlType};
use diesel::sqlite::Sqlite;
use jiff::Timestamp;
use uuid::Uuid;

use crate::base::id::{
    AccountId, AuditId, CompanyId, DocumentId, EventId, HeldId, InboxId, JobId, KycId, LoginId, OrderId, PassId,
    PayoutId, RateId, TokenId, TransactionId, WebhookSecretId,
};

/// The SQL type of identifiers.
#[derive(Clone, Copy, Debug, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Id;

/// The SQL type of points in time.
#[derive(Clone, Copy, Debug, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct Instant;

macro_rules! stored_ids {
    ($($name:ident as $proxy:ident),+ $(,)?) => {$(
        #[derive(AsExpression, FromSqlRow)]
        #[diesel(foreign_derive)]
        #[diesel(sql_type = Id)]
        #[expect(dead_code, reason = "names the identifier for the derive; never built")]
        struct $proxy($name);

        impl ToSql<Id, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                use std::io::Write as _;
                out.write_all(self.bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Id, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.bytes().as_slice());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Id, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self(Uuid::from_slice(value.as_bytes())?))
            }
        }

        impl FromSql<Id, Sqlite> for $name {
            fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
                Ok(Self(Uuid::from_slice(&bytes)?))
            }
        }
    )+};
}

stored_ids! {
    OrderId as OrderIdProxy,
    CompanyId as CompanyIdProxy,
    EventId as EventIdProxy,
    AccountId as AccountIdProxy,
    TokenId as TokenIdProxy,
    PassId as PassIdProxy,
    JobId as JobIdProxy,
    AuditId as AuditIdProxy,
    LoginId as LoginIdProxy,
    KycId as KycIdProxy,
    DocumentId as DocumentIdProxy,
    WebhookSecretId as WebhookSecretIdProxy,
    InboxId as InboxIdProxy,
    TransactionId as TransactionIdProxy,
    PayoutId as PayoutIdProxy,
    RateId as RateIdProxy,
    HeldId as HeldIdProxy,
}

/// A point in time as a row holds it, in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Instant)]
pub struct At(pub Timestamp);

/// Microseconds from 1970 to 2000, where PostgreSQL begins to count.
const PG_EPOCH: i64 = 946_684_800_000_000;

impl ToSql<Instant, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.0.as_microsecond() - PG_EPOCH;
        ToSql::<BigInt, Pg>::to_sql(&micros, &mut out.reborrow())
    }
}

impl ToSql<Instant, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_microsecond());
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Pg> for At {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Pg>>::from_sql(value)?;
        Ok(Self(Timestamp::from_microsecond(micros.saturating_add(PG_EPOCH))?))
    }
}

impl FromSql<Instant, Sqlite> for At {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
        Ok(Self(Timestamp::from_microsecond(micros)?))
    }
}
