// Package api has the answers, the problems, and the one line that is logged for a request.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Problem is an answer that is no success.
type Problem struct {
	Status  int
	Headers map[string]string
}

func (p *Problem) Error() string {
	return http.StatusText(p.Status)
}

// Request is what API Gateway sends.
type Request = events.APIGatewayV2HTTPRequest

// Response is what it gets.
type Response = events.APIGatewayV2HTTPResponse

// Handle answers a request with a body and headers of its own.
type Handle func(context.Context, *Request) (any, map[string]string, error)

var log = slog.New(slog.NewJSONHandler(os.Stdout, nil))

// Endpoint makes a Lambda handler of an endpoint's.
func Endpoint(route string, handle Handle) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, request Request) (Response, error) {
		started := time.Now()
		response, err := answer(ctx, &request, handle)
		log.Info("answered",
			"request_id", request.RequestContext.RequestID,
			"route", route,
			"status", response.StatusCode,
			"duration_ms", float64(time.Since(started).Microseconds())/1000,
		)
		return response, err
	}
}

// Warn says that something went wrong that nobody needs to be told of.
func Warn(message string) {
	log.Warn(message)
}

func answer(ctx context.Context, request *Request, handle Handle) (Response, error) {
	id := request.RequestContext.RequestID
	body, headers, err := handle(ctx, request)
	if err == nil {
		return respond(http.StatusOK, "application/json", body, id, headers)
	}
	problem := &Problem{http.StatusServiceUnavailable, map[string]string{"Retry-After": "1"}}
	if !errors.As(err, &problem) {
		log.Error("the table could not be used", "cause", fmt.Sprintf("%T", err))
	}
	body = map[string]any{"title": problem.Error(), "status": problem.Status, "traceId": id}
	return respond(problem.Status, "application/problem+json", body, id, problem.Headers)
}

func respond(status int, contentType string, body any, id string, headers map[string]string) (Response, error) {
	text, err := json.Marshal(body)
	all := map[string]string{
		"Content-Type":           contentType,
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
		"X-Request-Id":           id,
	}
	maps.Copy(all, headers)
	return Response{StatusCode: status, Headers: all, Body: string(text)}, err
}
