// Package tokens verifies access tokens against the keys that the table holds.
package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"bench/peer/internal/api"
	"bench/peer/internal/table"
)

const maxAge = 5 * time.Minute

// Claims is what a token says of its bearer.
type Claims struct {
	jwt.RegisteredClaims
	OrganizationID string `json:"OrganizationId"`
	Role           roles  `json:"role"`
}

type roles []string

func (r *roles) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*r = roles{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(r))
}

// Verifier verifies tokens.
type Verifier struct {
	table  *table.Table
	parser *jwt.Parser
	mutex  sync.Mutex
	keys   keyfunc.Keyfunc
	readAt time.Time
}

// New makes a verifier that has read no keys yet.
func New(t *table.Table) *Verifier {
	return &Verifier{table: t, parser: jwt.NewParser(
		jwt.WithIssuer(os.Getenv("TOKEN_ISSUER")),
		jwt.WithAudience(os.Getenv("TOKEN_AUDIENCE")),
		jwt.WithLeeway(time.Minute),
		jwt.WithExpirationRequired(),
		jwt.WithValidMethods([]string{"ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"}),
	)}
}

// Keys are the table's keys, read anew where they are old.
func (v *Verifier) Keys(ctx context.Context) (keyfunc.Keyfunc, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.keys != nil && time.Since(v.readAt) < maxAge {
		return v.keys, nil
	}
	item, err := v.table.Get(ctx, "SIGNING_KEYS", "SIGNING_KEYS")
	if err != nil {
		return nil, err
	}
	jwks, ok := table.Text(item, "Jwks")
	if !ok {
		return nil, errors.New("the table holds no signing keys")
	}
	keys, err := keyfunc.NewJWKSetJSON(json.RawMessage(jwks))
	if err != nil {
		return nil, err
	}
	v.keys, v.readAt = keys, time.Now()
	return keys, nil
}

// Authorize is the bearer of the request's token, if it carries the role.
func (v *Verifier) Authorize(ctx context.Context, request *api.Request, role string) (*Claims, error) {
	scheme, token, _ := strings.Cut(request.Headers["authorization"], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, refused(401, "Bearer")
	}
	keys, err := v.Keys(ctx)
	if err != nil {
		return nil, err
	}
	claims := &Claims{}
	_, err = v.parser.ParseWithClaims(token, claims, keys.KeyfuncCtx(ctx))
	if err != nil || claims.Subject == "" || claims.OrganizationID == "" {
		return nil, refused(401, `Bearer error="invalid_token"`)
	}
	if !slices.Contains(claims.Role, role) {
		return nil, refused(403, `Bearer error="insufficient_scope"`)
	}
	return claims, nil
}

func refused(status int, challenge string) error {
	return &api.Problem{Status: status, Headers: map[string]string{"WWW-Authenticate": challenge}}
}
