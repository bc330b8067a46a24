-- +goose NO TRANSACTION
-- +goose Up
-- kept_as is the name in corrupt/ under which a record lies; two files of one name have different ones. A record from before has
-- none. Of a report whose bad records were only counted, dropped says how many.
ALTER TABLE set_aside_records ADD COLUMN IF NOT EXISTS kept_as String AFTER set_aside_time, MODIFY ORDER BY (client_id, source_file, report_index, record_index, kept_as);
ALTER TABLE client_reports ADD COLUMN IF NOT EXISTS dropped UInt32 AFTER set_aside;
