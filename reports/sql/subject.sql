-- title: Compliance of one subject
-- group: Compliance
-- columns: class!, cause!, machines!, percent_of_population, percent, population, counted, stale
-- empty: no machine is in the scope
-- description: In which class the machines of the site or of a collection are on an update, a deployment, a baseline or
--   anything else that clients tell of. Every machine is in exactly one line, so that machines adds up to scope_clients.
--   Counted now, but on a site of 50,000 clients or more: there the site's counts are kept, and are up to five minutes
--   old. The rule is in docs/compliance.md.
-- param subject String: Title, topic id, or KIND/ID such as update/KB5043080
-- param collection String = '': Only the members of this collection; empty takes the site
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: _place UInt8
-- note class: outside = it does not count for this subject, and is in no percentage; said_nothing = it was asked, and had
--   said nothing by as_of: why is kept for the end of a day only
-- note cause: the first reason that applies why nothing is known of the machine
-- note counted: who counts: targeted = members of the subject's target, scanned = machines that scan for updates, reported = those that told of it
-- note percent: compliant of those that are compliant or not; empty where no machine needs it
-- note percent_low: the same if all that are not known were not compliant
-- note known_percent: machines that are known, of those that count
-- note stale: machines that count and did not report for reports.stale_after; they stay in the class they last said
-- note outside_spoke: machines outside the target that told of it
-- note link: the machines of the line, as the API has them
-- link machines: subject-machines?subject={subject}&collection={collection}&class={class}&cause={cause}&as_of={as_of}&tz={tz}
-- with: stated, asked, scope, codes, rule, quiet, placed, tally
WITH
    ['waiting', 'gap', 'set_aside', 'unsent', 'silent', 'clock', 'not_scanned', 'never_told'] AS causes,
    -- if counted_from in then:
    true AS silence,
    -- else:
    false AS silence,
    -- end:
    arrayConcat(
        arrayMap(c -> (c, ''), ['compliant', 'bad', 'pending', 'restart', 'failed', 'not_applicable',
            'not_applicable_implied', 'said_unknown']),
        arrayMap(c -> ('not_known', c), causes),
        [('said_nothing', ''), ('other', ''), ('outside', '')]) AS lines
SELECT
    class,
    cause,
    if(class = 'outside', scope_clients - population,
        arraySum(t -> if(t.1 = class AND t.2 = cause, t.3, 0), tally)) AS machines,
    if(class = 'outside', NULL, share(machines, population)) AS percent_of_population,
    multiIf(the_target != '', 'targeted', the_kind = 'update', 'scanned', 'reported') AS counted,
    share(good, good + not_compliant) AS percent,
    -- Who said nothing at a moment in between is one line: who of them did not need it is not known.
    if(silence, NULL, share(good, good + not_compliant + unknown)) AS percent_low,
    if(silence, NULL, share(population - unknown, population)) AS known_percent,
    population,
    scope_clients,
    stale,
    outside_spoke,
    concat(if(the_kind = 'other', toString(the_type), the_kind), '/', the_id) AS subject,
    {collection:String} AS collection,
    concat('/api/v1/reports/subject-machines?subject=', encodeURLFormComponent(subject), '&class=', class,
        if(cause = '', '', concat('&cause=', cause)),
        if(collection = '', '', concat('&collection=', encodeURLFormComponent(collection))),
        if({as_of:String} = '', '', concat('&as_of=', encodeURLFormComponent({as_of:String}), '&tz=',
            encodeURLFormComponent({zone:String})))) AS link,
    toUInt8(line.2 - 1) AS _place
FROM
(
    SELECT f.*, arrayJoin(arrayZip(lines, arrayEnumerate(lines))) AS line, line.1.1 AS class, line.1.2 AS cause
    FROM figures AS f
)
WHERE machines > 0 OR class NOT IN ('not_known', 'said_nothing', 'other')
