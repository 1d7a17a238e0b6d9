package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// supported is the answer to VERSION.
type supported struct {
	CNIVersion        string   `json:"cniVersion"`
	SupportedVersions []string `json:"supportedVersions"`
}

// failed is the document of an error.
type failed struct {
	CNIVersion string `json:"cniVersion"`
	Code       int    `json:"code"`
	Msg        string `json:"msg"`
	Details    string `json:"details"`
}

// versionAskedFor is the version that an answer is in.
func (node *settings) versionAskedFor(stdin []byte) string {
	newest := node.Versions[len(node.Versions)-1]
	var document map[string]any
	if !utf8.Valid(stdin) || json.Unmarshal(stdin, &document) != nil || document == nil {
		return newest
	}
	switch version := document["cniVersion"].(type) {
	case nil:
		return node.Versions[0]
	case string:
		if version == "" {
			return node.Versions[0]
		}
		if slices.Contains(node.Versions, version) {
			return version
		}
	}
	return newest
}

func fail(version string, code int, msg, details string) int {
	return tell(failed{version, code, msg, details}, 1)
}

func tellFault(fault any) int {
	return fail("1.1.0", 999, "internal error of moorage", fmt.Sprintf("please report it: %v", fault))
}

func tell(document any, code int) int {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(document) != nil || !printed(text.Bytes()) {
		return 1
	}
	return code
}
