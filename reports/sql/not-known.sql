-- title: Why machines are not known on a subject
-- group: Compliance
-- columns: cause!, machines!, what_helps
-- empty: every machine of the population is known
-- description: The machines that should have told of an update, a deployment or a baseline and of which nothing is known,
--   by cause, and what helps. Each machine counts once, for the first cause that applies.
-- param subject String: Title, topic id, or KIND/ID such as update/KB5043080
-- param collection String = '': Only the members of this collection; empty takes the site
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: _place UInt8
-- link machines: subject-machines?subject={subject}&collection={collection}&cause={cause}&as_of={as_of}&tz={tz}
-- with: stated, asked, scope, codes, rule, quiet, placed, tally
WITH
    [
        ('said_unknown', 'it says itself that it does not know: its detection did not finish; look at its own log'),
        ('waiting', 'a report of it waits in the inbox: it is loaded within minutes'),
        ('gap', 'messages of it are missing: the next resync brings them, `statewire resync request` at once'),
        ('set_aside', 'records of it could not be read: `statewire dead list` says why'),
        ('unsent', 'it holds states back that wait to be sent: it sends them with its next report'),
        ('silent', 'it has not reported for long: is it switched off, retired, or kept from its relay?'),
        ('clock', 'its clock is wrong, so that its scans cannot be dated: set its time'),
        ('not_scanned', 'it has not completed a scan since this update was first seen: start one, or wait for its next'),
        ('said_nothing', 'it had said nothing by then; why is kept for the end of a day only'),
        ('never_told', 'it reports, and said nothing of this: is the policy that asks for it there? See `statewire explain`')
    ] AS causes
SELECT
    why.1 AS cause,
    counted.machines AS machines,
    why.2 AS what_helps,
    concat(if(the_kind = 'other', toString(the_type), the_kind), '/', the_id) AS subject,
    {collection:String} AS collection,
    toUInt8(indexOf(causes.1, cause)) AS _place
FROM
(
    SELECT if(one.1 = 'not_known', one.2, one.1) AS reason, one.3 AS machines
    FROM figures
    ARRAY JOIN tally AS one
    WHERE one.1 IN ('said_unknown', 'said_nothing', 'not_known')
) AS counted
ARRAY JOIN [causes[indexOf(causes.1, counted.reason)]] AS why
