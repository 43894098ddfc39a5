//! SQL of one-time codes.

use diesel::prelude::*;
use jiff::Timestamp;

use crate::base::Result;
use crate::base::id::AccountId;
use crate::db::Conn;
use crate::db::schema::account_codes;
use crate::db::types::At;
use crate::jobs::CodePurpose;
use crate::{execute, find};

/// What was asked for before.
pub(super) struct Asked {
    pub sent_at: Timestamp,
    pub sends: i32,
    pub window_began: Timestamp,
}

/// What is asked for now.
pub(super) struct Booking {
    pub sends: i32,
    pub window_began: Timestamp,
    pub now: Timestamp,
    pub until: Timestamp,
}

pub(super) async fn find(conn: &mut Conn, account: AccountId, kind: &str) -> Result<Option<Asked>> {
    let columns = (account_codes::sent_at, account_codes::sends, account_codes::window_began);
    let query = account_codes::table.find((account, kind)).select(columns);
    let row = find!(conn, (At, i32, At), query)?;
    Ok(row.map(|(sent, sends, began)| Asked { sent_at: sent.0, sends, window_began: began.0 }))
}

/// Writes the row anew, without a code.
pub(super) async fn book(conn: &mut Conn, account: AccountId, kind: &str, booking: Booking) -> Result<()> {
    let values = (
        account_codes::mac.eq(None::<Vec<u8>>),
        account_codes::tries.eq(0),
        account_codes::expires_at.eq(At(booking.until)),
        account_codes::sent_at.eq(At(booking.now)),
        account_codes::sends.eq(booking.sends),
        account_codes::window_began.eq(At(booking.window_began)),
    );
    let key = (account_codes::account_id.eq(account), account_codes::purpose.eq(kind));
    let query = diesel::insert_into(account_codes::table)
        .values((key, values.clone()))
        .on_conflict((account_codes::account_id, account_codes::purpose))
        .do_update()
        .set(values);
    execute!(conn, query)?;
    Ok(())
}

/// Puts a code into a row that waits for one, or has one that bears a further try; says whether there is such a row. The
/// tries are those of the booking, however many codes it comes to. A void one has less than none.
pub(super) async fn put(
    conn: &mut Conn,
    account: AccountId,
    purpose: CodePurpose,
    (mac, most): (&[u8; 32], i32),
    until: Timestamp,
) -> Result<bool> {
    let row = account_codes::table.find((account, purpose.code())).filter(account_codes::tries.between(0, most - 1));
    let set = (account_codes::mac.eq(Some(mac.as_slice())), account_codes::expires_at.eq(At(until)));
    Ok(execute!(conn, diesel::update(row).set(set))? == 1)
}

/// Counts a try; the code's hash when there is a code that bears one more. One statement, so that however many try at
/// once, no more than `most` see the hash.
pub(super) async fn take_try(
    conn: &mut Conn,
    account: AccountId,
    purpose: CodePurpose,
    most: i32,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    let row = account_codes::table.find((account, purpose.code()));
    let alive = row
        .filter(account_codes::mac.is_not_null())
        .filter(account_codes::tries.lt(most))
        .filter(account_codes::expires_at.gt(At(now)));
    let counted = execute!(&mut *conn, diesel::update(alive).set(account_codes::tries.eq(account_codes::tries + 1)))?;
    if counted == 0 {
        return Ok(None);
    }
    Ok(find!(conn, Option<Vec<u8>>, row.select(account_codes::mac))?.flatten())
}

/// Makes a code void, and keeps when it was sent.
pub(super) async fn clear(conn: &mut Conn, account: AccountId, purpose: CodePurpose) -> Result<()> {
    let set = (account_codes::mac.eq(None::<Vec<u8>>), account_codes::tries.eq(-1));
    // One that is booked and not made yet is none.
    let row = account_codes::table.find((account, purpose.code())).filter(account_codes::mac.is_not_null());
    execute!(conn, diesel::update(row).set(set))?;
    Ok(())
}

/// As [`clear`], also of one that is booked and not made yet.
pub(super) async fn withdraw(conn: &mut Conn, account: AccountId, purpose: CodePurpose) -> Result<()> {
    let set = (account_codes::mac.eq(None::<Vec<u8>>), account_codes::tries.eq(-1));
    execute!(conn, diesel::update(account_codes::table.find((account, purpose.code()))).set(set))?;
    Ok(())
}
