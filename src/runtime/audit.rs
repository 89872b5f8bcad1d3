//! The audit stream: one JSON line for each write at a server. It names attributes and never tells their values.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::error;

/// Where the lines go; cloning shares it. By default nowhere.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Mutex<Box<dyn Write + Send>>>>);

/// One write at a server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When the answer came, or the waiting for it ended.
    pub time: Timestamp,
    /// The connection, `namespace/name`.
    pub connection: String,
    /// The object that was provisioned.
    pub object: ObjectRecord,
    /// What was done, in the words of `status.lastOperation`.
    pub operation: &'static str,
    /// The attributes that it changed.
    pub attributes: Vec<String>,
    /// How many members it puts into a group and takes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersRecord>,
    /// The hold that an approval let it out of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldRecord>,
    /// `Done`, or the class of the error. After `timeout` or `transient` the server may have done it all the same.
    pub outcome: &'static str,
    /// The HTTP status of an answer that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The server's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Members, counted.
#[derive(Debug, Serialize)]
pub struct MembersRecord {
    /// Put in.
    pub added: usize,
    /// Taken out.
    pub removed: usize,
}

/// The object, and who declared it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRecord {
    /// `ScimUser` or `ScimGroup`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The generation that was carried out.
    pub generation: i64,
    /// Those who own fields of its spec.
    pub field_managers: Vec<String>,
    /// By what GitOps tools and helm know it.
    pub tracking: BTreeMap<String, String>,
}

/// An approved hold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldRecord {
    /// Its id.
    pub id: String,
    /// Those who own `spec.approvedHold` of the connection.
    pub approved_by: Vec<String>,
}

impl Audit {
    /// `-` is standard output, anything else a file, which is appended to; `None` is nowhere.
    pub fn open(target: Option<&Path>) -> io::Result<Self> {
        let writer: Box<dyn Write + Send> = match target {
            None => return Ok(Self(None)),
            Some(path) if path == Path::new("-") => Box::new(io::stdout()),
            Some(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        Ok(Self(Some(Arc::new(Mutex::new(writer)))))
    }

    /// Whether anybody reads it.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Writes one line; false when that failed, which nothing that was done is undone for.
    pub fn write(&self, record: &Record) -> bool {
        let Some(writer) = &self.0 else { return true };
        let mut line = serde_json::to_vec(record).unwrap_or_default();
        line.push(b'\n');
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece, so that lines of two processes don't mix.
        match writer.write_all(&line).and_then(|()| writer.flush()) {
            Ok(()) => true,
            Err(failed) => {
                error!("a line of the audit stream is lost: {failed}");
                false
            }
        }
    }
}
