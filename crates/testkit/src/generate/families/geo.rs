//! Places.

use super::Family;

pub(super) const FAMILY: Family = super::of(
    "geo",
    &[
        "9 GEOADD gkey (lon lat place)+",
        "4 GEOADD gkey {[NX|XX] [CH]} (lon lat place)+",
        "2 GEOADD gkey 13.361389 38.115556 place 15.087269 37.502669 place",
        "5 GEODIST gkey place place [unit]",
        "4 GEOHASH gkey place+",
        "4 GEOPOS gkey place+",
        "7 GEOSEARCH gkey {(FROMMEMBER place|FROMLONLAT lon lat) (BYRADIUS radius unit|BYBOX radius radius unit) [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]}",
        "2 GEOSEARCH gkey {[FROMMEMBER place] [FROMLONLAT lon lat] [BYRADIUS radius unit] [BYBOX radius radius unit]}",
        "4 GEOSEARCHSTORE gkey gkey {(FROMMEMBER place|FROMLONLAT lon lat) (BYRADIUS radius unit|BYBOX radius radius unit) [ASC|DESC] [COUNT count] [STOREDIST]}",
        "5 GEORADIUS gkey lon lat radius unit {[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]}",
        "4 GEORADIUSBYMEMBER gkey place radius unit {[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]}",
        "2 GEORADIUS gkey lon lat radius unit {[COUNT count] [ASC|DESC] (STORE|STOREDIST) gkey}",
        "2 GEORADIUSBYMEMBER gkey place radius unit {[WITHDIST] [COUNT count] (STORE|STOREDIST) gkey}",
        "2 GEORADIUS_RO gkey lon lat radius unit [ASC|STORE gkey]",
        "2 GEORADIUSBYMEMBER_RO gkey place radius unit [DESC|STORE gkey]",
        "3 ZRANGE gkey 0 -1 WITHSCORES",
        "2 ZREM gkey place",
        "1 ZADD gkey score place",
    ],
);
