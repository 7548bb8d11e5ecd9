//! Ids of things that happened before they were written here: they carry their moment, so that lists, days and
//! statements have them where they belong.

use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{
        id::{EPOCH_MS, Ids},
        time::Time,
    },
    store::{Error, Tx, imports},
};

/// Each second has a row of ids of its own, because one maker's ids only ever rise.
pub struct Past {
    instance: i64,
    seconds: HashMap<i64, Arc<Ids>>,
}

impl Past {
    /// Under a number that no server and no other step has.
    pub async fn begin(tx: &mut Tx) -> Result<Self, Error> {
        Ok(Self { instance: imports::instance(tx).await?, seconds: HashMap::new() })
    }

    /// A maker of ids of that second, and the second; no id is older than 2020.
    pub fn at(&mut self, time: Time) -> (Arc<Ids>, Time) {
        let second = time.ms().max(EPOCH_MS + 1_000).div_euclid(1_000);
        let ids = self.seconds.entry(second).or_insert_with(|| Arc::new(Ids::new(self.instance)));
        (Arc::clone(ids), Time::from_ms(second * 1_000))
    }
}
