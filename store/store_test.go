package store_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"statewire/store/storetest"
)

// promised are the tables and views of interfaces.md section 7, with the columns
// and types that queries may rely on.
var promised = map[string][]string{
	"state_messages": {"client_id UUID", "serial UInt64", "message_time DateTime64(3, 'UTC')",
		"received_time DateTime64(6, 'UTC')",
		"loaded_time DateTime64(3, 'UTC')", "topic_type UInt32", "topic_id String", "topic_id_type UInt16", "state_id UInt32",
		"criticality UInt32", "params Array(String)", "details String", "source_file String"},
	"current_states": {"client_id UUID", "topic_type UInt32", "topic_id String", "topic_id_type UInt16", "state_id UInt32",
		"criticality UInt32", "params Array(String)", "message_time DateTime64(3, 'UTC')", "received_time DateTime64(6, " +
			"'UTC')", "serial UInt64"},
	"clients": {"client_id UUID", "netbios_name String", "client_version String", "client_type UInt8",
		"first_report_time DateTime64(6, 'UTC')", "last_report_time DateTime64(6, 'UTC')"},
	"state_names": {"topic_type UInt32", "topic_name String", "state_id UInt32", "state_name String",
		"topic String"},
	"topic_names": {"topic_type UInt32", "topic_name String", "topic String"},
	"SR_ClientMessageStats": {"ClientID UUID", "LastSerialNumber UInt64", "LastMessageTime DateTime64(3, 'UTC')",
		"LastResyncIssuedTime Nullable(DateTime64(6, 'UTC'))",
		"LastResyncClientCompletedTime Nullable(DateTime64(6, 'UTC'))"},
	"SR_MissingMessageRanges": {"ClientID UUID", "FirstSerial UInt64", "LastSerial UInt64",
		"DetectedTime DateTime64(6, 'UTC')"},
	"Bgb_Server":         {"ServerID UInt32", "ServerName String"},
	"v_BgbServerCurrent": {"ServerID UInt32", "OnlineClients Nullable(UInt64)"},
	"SMS_CN_ClientStatus": {"ClientID UUID", "OnlineStatus UInt8", "ChannelType UInt8",
		"LastStatusTime DateTime64(6, 'UTC')", "ServerID UInt32"},
}

func TestEveryPromisedTableAnswersWithItsColumns(t *testing.T) {
	s := storetest.New(t)
	all := maps.Clone(promised)
	for name, columns := range promised {
		all["dbo."+name] = columns // for queries written for ConfigMgr
	}
	for name, want := range all {
		rows, err := s.Conn().Query(t.Context(), "SELECT * FROM "+name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var have []string
		for _, c := range rows.ColumnTypes() {
			have = append(have, c.Name()+" "+c.DatabaseTypeName())
		}
		if err := rows.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasPrefix(strings.Join(have, "; ")+"; ", strings.Join(want, "; ")+"; ") {
			t.Errorf("%s has the columns\n%s\nwant first\n%s", name, strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Whoever looks at the tables sees which ones queries may rely on.
func TestEveryTableSaysWhatItIs(t *testing.T) {
	s := storetest.New(t)
	rows, err := s.Conn().Query(t.Context(), "SELECT name, comment FROM system.tables WHERE database = currentDatabase()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	said := map[string]string{}
	for rows.Next() {
		var name, comment string
		if err := rows.Scan(&name, &comment); err != nil {
			t.Fatal(err)
		}
		if said[name] = comment; comment == "" {
			t.Errorf("%s: give its CREATE a COMMENT, 'internal' or a sentence", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(promised)), []string{"subjects", "v_updates", "v_deployments",
		"v_machines", "v_current_states", "v_compliance_days", "BGB_Task", "BGB_ResTaskHistory", "SMS_ClientActionStatus"}) {
		if comment := said[name]; !strings.HasSuffix(comment, ".") {
			t.Errorf("%s is promised, and says %q, which is no sentence", name, comment)
		}
	}
	if said["client_now"] != "internal" {
		t.Errorf("client_now says %q", said["client_now"])
	}
}
