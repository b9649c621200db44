//! What a search asks for: where, how far, in what order, how many, and what becomes of
//! what is found.

use std::cmp::Ordering;

use ochre_resp::Reply;
use ochre_store::ReadView;
use ochre_store::value::sorted_set::SortedSetRef;
use ochre_structures::geo::{self, Extent, Position, Search, Unit};
use ochre_structures::listpack::Element;
use ochre_structures::number;

use super::place;
use crate::commands::args::Args;
use crate::commands::sorted_set;
use crate::error::Error;

/// Where a command has the centre of its search area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    /// Longitude and latitude, then the radius (GEORADIUS).
    Coordinates,
    /// A member, then the radius (GEORADIUSBYMEMBER).
    Member,
    /// Among the options (GEOSEARCH).
    Option,
}

/// Where a command stores what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    Never,
    /// Where the options STORE and STOREDIST say (GEORADIUS).
    Option,
    /// In its first key (GEOSEARCHSTORE).
    First,
}

/// The order of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As it lies in the sorted set, cell by cell.
    None,
    Ascending,
    Descending,
}

impl Order {
    /// The order of two places at these distances.
    pub fn compare(self, one_m: f64, other_m: f64) -> Ordering {
        let nearer = one_m.partial_cmp(&other_m).unwrap_or(Ordering::Equal);
        match self {
            Self::None => Ordering::Equal,
            Self::Ascending => nearer,
            Self::Descending => nearer.reverse(),
        }
    }
}

/// What is told of each place that was found.
#[derive(Debug, Clone, Copy)]
pub struct PlaceForm {
    /// The unit of distances.
    pub unit: Unit,
    pub with_distance: bool,
    pub with_hash: bool,
    pub with_position: bool,
}

impl Default for PlaceForm {
    fn default() -> Self {
        Self {
            unit: Unit::Metres,
            with_distance: false,
            with_hash: false,
            with_position: false,
        }
    }
}

impl PlaceForm {
    /// Writes a place: the member, and what else was asked for.
    pub fn write(
        self,
        member: Element<'_>,
        score: f64,
        position: Position,
        distance_m: f64,
        out: &mut Reply,
    ) {
        let extras = usize::from(self.with_distance)
            + usize::from(self.with_hash)
            + usize::from(self.with_position);
        if extras > 0 {
            out.array(extras + 1);
        }
        sorted_set::write_name(out, member);
        if self.with_distance {
            place::write_distance(out, distance_m / self.unit.metres());
        }
        if self.with_hash {
            out.integer(score as i64);
        }
        if self.with_position {
            place::write_position(out, position);
        }
    }
}

/// What becomes the score of a place that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredScore {
    Cell,
    Distance,
}

/// A search, read.
#[derive(Debug)]
pub struct Query<'a> {
    centre: Option<Position>,
    /// Whether a member was named as the centre.
    by_member: bool,
    extent: Option<Extent>,
    /// What is told of each place.
    pub form: PlaceForm,
    pub order: Order,
    /// The most places wanted; 0 for all.
    pub count: usize,
    /// Whether any places will do, not just the nearest.
    pub any: bool,
    pub store: Option<&'a [u8]>,
    pub stored_score: StoredScore,
}

impl<'a> Query<'a> {
    /// Reads a search whose arguments start with its keys, and finds its sorted set.
    ///
    /// # Errors
    /// In the order in which Redis finds them, which looks up the key first.
    pub fn parse<'v>(
        view: &ReadView<'v>,
        args: &mut Args<'a>,
        centre: Centre,
        target: Target,
    ) -> Result<(Option<SortedSetRef<'v>>, Self), Error> {
        let mut query = Self {
            centre: None,
            by_member: false,
            extent: None,
            form: PlaceForm::default(),
            order: Order::None,
            count: 0,
            any: false,
            store: None,
            stored_score: StoredScore::Cell,
        };
        if target == Target::First {
            query.store = Some(args.next()?);
        }
        let set = sorted_set::find(view, args.next()?)?;
        match centre {
            Centre::Coordinates => {
                query.centre = Some(place::position(args.next()?, args.next()?)?);
                query.parse_radius(args)?;
            }
            // Without a set no member can be looked up; the options are read all the same.
            Centre::Member if set.is_none() => args.skip(3),
            Centre::Member => {
                query.set_member(set, args.next()?)?;
                query.parse_radius(args)?;
            }
            Centre::Option => {}
        }
        query.parse_options(set, args, centre, target)?;
        query.check(args, centre, target)?;
        Ok((set, query))
    }

    fn set_member(&mut self, set: Option<SortedSetRef<'_>>, member: &[u8]) -> Result<(), Error> {
        self.by_member = true;
        if let Some(set) = set {
            let score = set
                .score(member)
                .ok_or(Error::text("ERR could not decode requested zset member"))?;
            self.centre = Some(geo::decode(score));
        }
        Ok(())
    }

    fn parse_radius(&mut self, args: &mut Args<'_>) -> Result<(), Error> {
        let radius = length(args.next()?, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Error::text("ERR radius cannot be negative"));
        }
        self.form.unit = place::unit(args.next()?)?;
        self.extent = Some(Extent::Circle {
            radius_m: radius * self.form.unit.metres(),
        });
        Ok(())
    }

    fn parse_box(&mut self, args: &mut Args<'_>) -> Result<(), Error> {
        let width = length(args.next()?, "ERR need numeric width")?;
        let height = length(args.next()?, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(Error::text("ERR height or width cannot be negative"));
        }
        self.form.unit = place::unit(args.next()?)?;
        self.extent = Some(Extent::Box {
            width_m: width * self.form.unit.metres(),
            height_m: height * self.form.unit.metres(),
        });
        Ok(())
    }

    fn parse_options(
        &mut self,
        set: Option<SortedSetRef<'_>>,
        args: &mut Args<'a>,
        centre: Centre,
        target: Target,
    ) -> Result<(), Error> {
        let searches = centre == Centre::Option;
        let mut named = None;
        let mut extent = None;
        while !args.is_empty() {
            // How many arguments follow the word.
            let values = args.len() - 1;
            if args.keyword("WITHDIST") {
                self.form.with_distance = true;
            } else if args.keyword("WITHHASH") {
                self.form.with_hash = true;
            } else if args.keyword("WITHCOORD") {
                self.form.with_position = true;
            } else if args.keyword("ANY") {
                self.any = true;
            } else if args.keyword("ASC") {
                self.order = Order::Ascending;
            } else if args.keyword("DESC") {
                self.order = Order::Descending;
            } else if values >= 1 && args.keyword("COUNT") {
                self.count = usize::try_from(args.integer()?)
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or(Error::text("ERR COUNT must be > 0"))?;
            } else if target == Target::Option && values >= 1 && args.keyword("STORE") {
                self.store = Some(args.next()?);
                self.stored_score = StoredScore::Cell;
            } else if target == Target::Option && values >= 1 && args.keyword("STOREDIST") {
                self.store = Some(args.next()?);
                self.stored_score = StoredScore::Distance;
            } else if target == Target::First && args.keyword("STOREDIST") {
                self.stored_score = StoredScore::Distance;
            } else if searches
                && values >= 1
                && named != Some(Centre::Coordinates)
                && args.keyword("FROMMEMBER")
            {
                self.set_member(set, args.next()?)?;
                named = Some(Centre::Member);
            } else if searches
                && values >= 2
                && named != Some(Centre::Member)
                && args.keyword("FROMLONLAT")
            {
                self.centre = Some(place::position(args.next()?, args.next()?)?);
                named = Some(Centre::Coordinates);
            } else if searches
                && values >= 2
                && extent != Some(Form::Box)
                && args.keyword("BYRADIUS")
            {
                self.parse_radius(args)?;
                extent = Some(Form::Circle);
            } else if searches
                && values >= 3
                && extent != Some(Form::Circle)
                && args.keyword("BYBOX")
            {
                self.parse_box(args)?;
                extent = Some(Form::Box);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(())
    }

    fn check(&mut self, args: &Args<'_>, centre: Centre, target: Target) -> Result<(), Error> {
        let decorated = self.form.with_distance || self.form.with_hash || self.form.with_position;
        if self.store.is_some() && decorated {
            return Err(Error::text(match target {
                Target::First => {
                    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
                _ => {
                    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
            }));
        }
        if centre == Centre::Option {
            let lacks = |what: &str| {
                let mut text =
                    format!("ERR exactly one of {what} can be specified for ").into_bytes();
                text.extend_from_slice(args.all()[0]);
                Err(Error::Bytes(text))
            };
            if self.centre.is_none() && !self.by_member {
                return lacks("FROMMEMBER or FROMLONLAT");
            }
            if self.extent.is_none() {
                return lacks("BYRADIUS and BYBOX");
            }
        }
        if self.any && self.count == 0 {
            return Err(Error::text("ERR the ANY argument requires COUNT argument"));
        }
        // The nearest of them, unless any will do.
        if self.count > 0 && self.order == Order::None && !self.any {
            self.order = Order::Ascending;
        }
        Ok(())
    }

    /// After how many places the search ends.
    pub fn enough(&self) -> usize {
        if self.any { self.count } else { usize::MAX }
    }

    /// The area to search; `None` only where there is no set to search.
    pub fn area(&self) -> Option<Search> {
        Some(Search {
            centre: self.centre?,
            extent: self.extent?,
        })
    }
}

/// The form of the search area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Circle,
    Box,
}

fn length(text: &[u8], error: &'static str) -> Result<f64, Error> {
    number::parse_f64(text).ok_or(Error::text(error))
}
