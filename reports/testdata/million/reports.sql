-- A report of every client that brings messages {n} to {n} + 7.
INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name, client_version,
    client_type, messages, first_serial, last_serial, loaded_time)
SELECT
    reinterpret(sipHash128(number), 'UUID'),
    fromUnixTimestamp64Micro({epoch:Int64} + toInt64({n:UInt64} * 345600000000 + sipHash64(number,
        {n:UInt64}) % 345600000000), 'UTC'),
    concat('million-', toString({n:UInt64}), '.SMX'), number,
    concat('PC-', leftPad(toString(number), 7, '0')), concat('5.00.9141.', toString(1000 + number % 5)), 1,
    8, {n:UInt64} + 1, {n:UInt64} + 8,
    fromUnixTimestamp64Milli(intDiv({epoch:Int64} + toInt64({n:UInt64} * 345600000000 + sipHash64(number,
        {n:UInt64}) % 345600000000), 1000), 'UTC')
FROM numbers({from:UInt64}, {clients:UInt64})
