package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// anyVersion is of an error's document where it is not known which ones are spoken.
const anyVersion = "1.0.0"

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
	// Only the one value is looked at: what else there is may be beyond what Go has numbers for.
	var document map[string]json.RawMessage
	if !utf8.Valid(stdin) || json.Unmarshal(stdin, &document) != nil || document == nil {
		return node.newest()
	}
	var version *string
	if asked, given := document["cniVersion"]; given && json.Unmarshal(asked, &version) != nil {
		return node.newest()
	}
	if version == nil || *version == "" {
		return node.Versions[0]
	}
	if slices.Contains(node.Versions, *version) {
		return *version
	}
	return node.newest()
}

func (node *settings) newest() string { return node.Versions[len(node.Versions)-1] }

func fail(version string, code int, msg, details string) int {
	return tell(failed{version, code, msg, details}, 1)
}

func tellFault(version string, fault any) int {
	return fail(version, 999, "internal error of moorage", fmt.Sprintf("please report it: %v", fault))
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
