package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

func TestTheDescriptionNamesEveryReport(t *testing.T) {
	w := get(t, handler(t, reportstest.Fleet(t)), "/api/v1/openapi.json")
	var doc struct {
		OpenAPI string
		Paths   map[string]struct {
			Get struct {
				Parameters []struct {
					Name     string
					Required bool
				}
				Responses map[string]any
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v", w.Code, err)
	}
	catalog, err := reports.LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range catalog.List() {
		path, ok := doc.Paths["/api/v1/reports/"+r.Name]
		if !ok || len(path.Get.Parameters) != len(r.Params)+4 || path.Get.Responses["200"] == nil ||
			path.Get.Responses["default"] == nil {
			t.Errorf("%s: %+v", r.Name, path)
		}
	}
	for _, path := range []string{"/api/v1/reports", "/api/v1/reports/{name}", "/api/v1/status"} {
		if _, ok := doc.Paths[path]; !ok {
			t.Errorf("%s is missing", path)
		}
	}
	var list struct{ Reports []reports.Listed }
	if err := json.Unmarshal(get(t, handler(t, reportstest.Fleet(t)), "/api/v1/reports").Body.Bytes(),
		&list); err != nil || len(list.Reports) != len(catalog.List()) {
		t.Errorf("%v %d", err, len(list.Reports))
	}
}

// described checks that an answer has no member that its schema does not name, and all that it requires.
func described(t *testing.T, schemas, schema map[string]any, value any, at string) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
	}
	switch value := value.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		for _, v := range value {
			described(t, schemas, items, v, at+"[]")
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil {
			return // any members
		}
		for name, v := range value {
			property, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s is not described", at, name)
			}
			described(t, schemas, property, v, at+"."+name)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := value[name.(string)]; !ok {
				t.Errorf("%s.%s is required and not there", at, name)
			}
		}
	}
}

func TestEveryAnswerIsAsTheDescriptionSays(t *testing.T) {
	s := reportstest.BrokenClients(t)
	h := handler(t, s.Seed, watched(s))
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Responses map[string]struct {
					Content map[string]struct{ Schema map[string]any }
				}
			}
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(get(t, h, "/api/v1/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for target, path := range map[string]string{
		"/api/v1/reports": "", "/api/v1/status": "", "/api/v1/reports/clients?limit=2": "/api/v1/reports/clients",
		"/api/v1/reports/nothing":                     "/api/v1/reports/{name}",
		"/api/v1/reports/missing-ranges":              "/api/v1/reports/{name}",
		"/api/v1/clients/PC-0005/explain?topic=500/a": "/api/v1/clients/{id}/explain",
		"/api/v1/clients/PC-0005/explain?x=1":         "/api/v1/clients/{id}/explain",
		"/api/v1/clients/PC-0005/trace/14":            "/api/v1/clients/{id}/trace/{serial}",
		"/api/v1/clients/NOBODY/trace/1":              "/api/v1/clients/{id}/trace/{serial}",
		"/api/v1/clients/NOBODY/explain":              "/api/v1/clients/{id}/explain",
	} {
		if path == "" {
			path = target
		}
		w := get(t, h, target)
		code, media := "200", "application/json"
		if w.Code != http.StatusOK {
			code, media = "default", "application/problem+json"
		}
		var value any
		if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
			t.Fatal(err)
		}
		schema := doc.Paths[path].Get.Responses[code].Content[media].Schema
		if schema == nil {
			t.Errorf("%s %s has no schema", path, code)
		}
		described(t, doc.Components.Schemas, schema, value, target)
	}
}
