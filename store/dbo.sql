CREATE DATABASE IF NOT EXISTS dbo{cluster};
CREATE OR REPLACE VIEW dbo.Bgb_Server{cluster} AS SELECT ServerID, ServerName FROM {database}.Bgb_Server;
CREATE OR REPLACE VIEW dbo.v_BgbServerCurrent{cluster} AS SELECT ServerID, OnlineClients FROM {database}.v_BgbServerCurrent;
