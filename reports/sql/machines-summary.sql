-- title: Machines by class
-- group: Compliance
-- columns: class!, machines!, percent, need_any, have_all, have_all_percent, need_none, not_known
-- empty: no machine is in the scope
-- description: How many machines have all they need, and how many do not: each machine is in one class, the worst that
--   applies.
-- param collection String = '': Only members of this collection
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- note percent: of all machines of the scope, rounded down; empty where there are none
-- note need_any: the same in every row: machines that need an update, a deployment or a baseline and have said how they
--   stand
-- note have_all: the same in every row: those of them that have all they need
-- note have_all_percent: of need_any, rounded down; empty where there is none
-- note need_none: the same in every row: machines that said all and need nothing
-- note not_known: the same in every row: machines that lack nothing so far, and of which not everything is known. The
--   three add up to the scope
-- link machines: machines?problem={class}&collection={collection}&as_of={as_of}&tz={tz}
-- with: stated, told, machine_stands
WITH
    ['update', 'deployment', 'baseline', 'scan'] AS asked_kinds,
    [toUInt32(300), 301, 302, 400, 401, 402, 500, 501] AS asked_types,
    standing AS
    (
        SELECT class, count() AS machines, countIf(required > 0) AS lacking, countIf(good > 0) AS having
        FROM machine_stands
        WHERE {collection:String} = ''
           OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        GROUP BY class
    ),
    (
        SELECT (sum(machines), sum(lacking), sumIf(having, class = 'compliant'),
            sumIf(machines - having, class = 'compliant'))
        FROM standing
    ) AS totals,
    ['compliant', 'required', 'restart', 'failed', 'not_known'] AS classes_of_machines
SELECT
    k AS class,
    s.machines AS machines,
    if(totals.1 = 0, NULL, floor(100 * s.machines / totals.1, 1)) AS percent,
    totals.2 + totals.3 AS need_any,
    totals.3 AS have_all,
    if(need_any = 0, NULL, floor(100 * have_all / need_any, 1)) AS have_all_percent,
    totals.4 AS need_none,
    totals.1 - need_any - need_none AS not_known
FROM (SELECT arrayJoin(classes_of_machines) AS k) AS one
LEFT JOIN standing AS s ON s.class = k
ORDER BY indexOf(classes_of_machines, k)
