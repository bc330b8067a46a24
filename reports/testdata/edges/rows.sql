-- What happened to 60 clients, at random in 60 minutes: requests with holes and copies, pickups, ends, completions,
-- baselines and messages that come again. Clients from 40 on claim serials, and some of them nothing else. Run twice
-- with another {seed}, each table has two parts.
INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(number % 40), 12, '0'))), 1 + r % 3,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 8) % 60), 'gap', 'check',
        intDiv(r, 512) % 20
FROM (SELECT number, sipHash64(number, 1, {seed:UInt64}) AS r FROM numbers(70));
INSERT INTO resync_pickups (client_id, number, picked_up_time)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 40), 12, '0'))), 1 + intDiv(r, 64) % 3,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 512) % 60)
FROM (SELECT sipHash64(number, 2, {seed:UInt64}) AS r FROM numbers(60));
INSERT INTO resync_expiries (client_id, number, expired_time, interval_s)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 20), 12, '0'))), 1 + intDiv(r, 64) % 3,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 512) % 60), 60
FROM (SELECT sipHash64(number, 3, {seed:UInt64}) AS r FROM numbers(12));
INSERT INTO completions_data (client_id, serial, payload_hash, received_time, arrival_rank)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 40), 12, '0'))), intDiv(r, 64) % 20,
    intDiv(r, 2048) % 3,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 8192) % 60) AS came,
        bitNot(toUInt64(toUnixTimestamp64Micro(came)))
FROM (SELECT sipHash64(number, 4, {seed:UInt64}) AS r FROM numbers(14));
INSERT INTO baselines (client_id, serial, accepted_time)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 40), 12, '0'))), 5,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 64) % 60)
FROM (SELECT sipHash64(number, 5, {seed:UInt64}) AS r FROM numbers(5));
INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, state_id, payload_hash)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 40), 12, '0'))), intDiv(r, 64) % 22,
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 2048) % 60), 9007, 'edge', 1,
        intDiv(r, 131072) % 4
FROM (SELECT sipHash64(number, 6, {seed:UInt64}) AS r FROM numbers(400));
INSERT INTO client_claims (client_id, last_serial)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(30 + r % 30), 12, '0'))), intDiv(r, 32) % 3
FROM (SELECT sipHash64(number, 7, {seed:UInt64}) AS r FROM numbers(30));
INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name, client_version)
SELECT toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(r % 50), 12, '0'))),
    toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + toIntervalMinute(intDiv(r, 64) % 20), toString(intDiv(r, 2048) % 3),
        number,
    ['', '', 'EDGE', 'edge'][1 + intDiv(r, 8192) % 4], ['', '5.1', '5.2'][1 + intDiv(r, 65536) % 3]
FROM (SELECT number, sipHash64(number, 8, {seed:UInt64}) AS r FROM numbers(60));
