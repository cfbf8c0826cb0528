//! `[settings]`: the settings of the gateway as a whole.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::catalog::schema::format::Money;
use crate::catalog::schema::{Fields, Place, Report, format};
use crate::catalog::{BodiesRetention, DefaultModels, PriceAddress, PriceOrigin, RecordBodies, Retention, Settings};

const RETENTION_DAYS_DEFAULT: u32 = 30;
const BODIES_RETENTION_DAYS_DEFAULT: u32 = 7;
const BODIES_MIB_DEFAULT: u64 = 512;
const RETENTION_DAYS_MAX: u32 = 3650;
const TURNED_AWAY_DEFAULT: u32 = 32;
/// More refusals in a row may get the caller's address banned.
const TURNED_AWAY_MAX: u32 = 1000;
/// The currency that every amount is converted to.
const BASE_CURRENCY: &str = "USD";
/// The highest limit in money, which is what a row of the ledger can hold.
const USD_MAX: f64 = 1_000_000.0;
const NANO_PER_UNIT: f64 = 1e9;

/// The currencies amounts may be written in, each with its worth in the base.
pub(super) struct Currencies {
    rates: BTreeMap<String, f64>,
}

impl Default for Currencies {
    fn default() -> Self {
        Currencies { rates: BTreeMap::from([(BASE_CURRENCY.to_owned(), 1.0)]) }
    }
}

impl Currencies {
    /// How much of the base one unit is. Reports a currency without a rate.
    pub(super) fn rate(&self, place: &Place<'_>, currency: &str) -> Option<f64> {
        let rate = self.rates.get(currency).copied();
        if rate.is_none() {
            place.problem(format!(
                "there is no rate for {currency}; add it to settings.rates (how many {BASE_CURRENCY} one {currency} is)"
            ));
        }
        rate
    }

    /// An amount as nano-dollars. The float is not kept: sums of floats depend on their order.
    pub(super) fn nano(&self, place: &Place<'_>, money: &Money) -> Option<u64> {
        // A wrong rate counts as none and has been reported already.
        let rate = self.rate(place, &money.currency).filter(|rate| *rate > 0.0)?;
        let nano = money.amount * rate * NANO_PER_UNIT;
        if !(1.0..=USD_MAX * NANO_PER_UNIT).contains(&nano) {
            place.problem(format!("must be from a billionth to {USD_MAX} {BASE_CURRENCY}"));
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 10^15")]
        Some(nano.round() as u64)
    }
}

pub(super) fn read(place: Option<Place<'_>>) -> (Settings, Currencies) {
    let mut settings = Settings {
        retention: Retention { days: RETENTION_DAYS_DEFAULT, bytes_max: None },
        record_bodies: RecordBodies::Off,
        bodies: BodiesRetention { days: BODIES_RETENTION_DAYS_DEFAULT, bytes_max: BODIES_MIB_DEFAULT << 20 },
        trusted_proxies: Vec::new(),
        zone: TimeZone::UTC,
        turned_away_max: TURNED_AWAY_DEFAULT,
        rates: Currencies::default().rates,
        fallback: Vec::new(),
        default_models: DefaultModels::default(),
        prices: None,
    };
    let mut currencies = Currencies::default();
    let Some(mut fields) = place.and_then(|place| place.fields()) else {
        return (settings, currencies);
    };
    if let Some(days) = fields.field("retention_days").and_then(|place| place.small_integer(1..=RETENTION_DAYS_MAX)) {
        settings.retention.days = days;
    }
    if let Some(proxies) = fields.field("trusted_proxies") {
        settings.trusted_proxies = proxies.all_parsed(format::network);
    }
    if let Some(mut models) = fields.field("default_models").and_then(|place| place.fields()) {
        let mut named = |name: &'static str| models.field(name).and_then(|place| place.text().map(str::to_owned));
        settings.default_models = DefaultModels { moderations: named("moderations"), images: named("images") };
        models.finish();
    }
    settings.fallback = fields.field("fallback").map(|place| place.all_parsed(format::pattern)).unwrap_or_default();
    if let Some(rates) = fields.field("rates") {
        currencies = read_rates(&rates);
        settings.rates.clone_from(&currencies.rates);
    }
    read_bodies(&mut fields, &mut settings);
    settings.prices = fields.field("prices").and_then(|place| read_prices(&place));
    let mib_max = fields.field("max_db_mib").and_then(|place| place.integer(16..=1 << 24));
    settings.retention.bytes_max = mib_max.map(|mib| mib << 20);
    if let Some(zone) = fields.field("zone").and_then(|place| place.parsed(format::zone)) {
        settings.zone = zone;
    }
    if let Some(most) = fields.field("turned_away_max").and_then(|place| place.small_integer(0..=TURNED_AWAY_MAX)) {
        settings.turned_away_max = most;
    }
    fields.finish();
    (settings, currencies)
}

/// What is kept of bodies, and how long.
fn read_bodies(fields: &mut Fields<'_>, settings: &mut Settings) {
    settings.record_bodies = fields.field("record_bodies").and_then(|place| record_bodies(&place)).unwrap_or_default();
    let days = fields.field("bodies_retention_days").and_then(|place| place.small_integer(1..=RETENTION_DAYS_MAX));
    let mib = fields.field("max_bodies_mib").and_then(|place| place.integer(1..=1 << 24));
    settings.bodies.days = days.unwrap_or(settings.bodies.days);
    settings.bodies.bytes_max = mib.map_or(settings.bodies.bytes_max, |mib| mib << 20);
}

/// The name of a file, an `https` address, or a table of an address.
fn read_prices(place: &Place<'_>) -> Option<PriceOrigin> {
    if let serde_json::Value::String(text) = place.value {
        return match text.contains("://") {
            true => place.parsed(|text| price_address(text, false)).map(PriceOrigin::Address),
            false => place.parsed(format::label).map(PriceOrigin::File),
        };
    }
    let mut fields = place.fields()?;
    let local = fields.flag("local");
    let address = fields.needed("url").and_then(|place| place.parsed(|text| price_address(text, local)));
    fields.finish();
    address.map(PriceOrigin::Address)
}

fn price_address(text: &str, local: bool) -> Result<PriceAddress, String> {
    let (url, query) = format::base_url(text)?;
    if url.scheme != "https" {
        return Err("must start with https://: who can change prices on their way can spend your money".to_owned());
    }
    let path = if url.path.is_empty() { "/".to_owned() } else { url.path };
    let path = if query.is_empty() { path } else { format!("{path}?{query}") };
    Ok(PriceAddress { authority: url.authority, path, local })
}

/// One of the words of [`RecordBodies`].
pub(super) fn record_bodies(place: &Place<'_>) -> Option<RecordBodies> {
    place.choice(&RecordBodies::ALL.map(RecordBodies::name)).and_then(RecordBodies::named)
}

/// Reports default models that `is_known` does not know.
pub(super) fn check_default_models(report: &Report, settings: &Settings, is_known: impl Fn(&str) -> bool) {
    let DefaultModels { moderations, images } = &settings.default_models;
    for (name, model) in [("moderations", moderations), ("images", images)] {
        if let Some(model) = model.as_ref().filter(|model| !is_known(model)) {
            report.problem(format!("settings.default_models.{name}"), format!("there is no model {model:?}"));
        }
    }
}

fn read_rates(place: &Place<'_>) -> Currencies {
    let mut currencies = Currencies::default();
    for (name, rate) in place.entries() {
        match format::currency(name) {
            Err(message) => rate.problem(format!("the name {message}")),
            Ok(name) if name == BASE_CURRENCY => rate.problem("is what the other rates are in; leave it out"),
            Ok(name) => {
                let worth = rate.amount();
                if worth == Some(0.0) {
                    rate.problem("must be more than 0");
                }
                // A wrong rate is reported once; prices in its currency must not be reported because of it as well.
                currencies.rates.insert(name, worth.unwrap_or_default());
            }
        }
    }
    currencies
}
