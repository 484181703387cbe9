// Answers, problems, and the one line that is logged for a request.

export class Problem extends Error {
    constructor(status, title, headers = {}) {
        super(title);
        this.status = status;
        this.headers = headers;
    }
}

export function endpoint(route, handle) {
    return async (event) => {
        const started = performance.now();
        const requestId = event.requestContext.requestId;
        const response = await answer(event, requestId, handle);
        console.log(
            JSON.stringify({
                level: 'INFO',
                message: 'answered',
                request_id: requestId,
                route,
                status: response.statusCode,
                duration_ms: performance.now() - started,
            }),
        );
        return response;
    };
}

async function answer(event, requestId, handle) {
    try {
        const { body, headers } = await handle(event);
        return response(200, 'application/json', body, requestId, headers);
    } catch (error) {
        const problem = error instanceof Problem ? error : unavailable(error);
        const body = { title: problem.message, status: problem.status, traceId: requestId };
        return response(problem.status, 'application/problem+json', body, requestId, problem.headers);
    }
}

function unavailable(error) {
    console.log(JSON.stringify({ level: 'ERROR', message: 'the table could not be used', cause: error.name }));
    return new Problem(503, 'Service Unavailable', { 'Retry-After': '1' });
}

function response(statusCode, contentType, body, requestId, headers) {
    return {
        statusCode,
        headers: {
            'Content-Type': contentType,
            'Cache-Control': 'no-store',
            'X-Content-Type-Options': 'nosniff',
            'X-Request-Id': requestId,
            ...headers,
        },
        body: JSON.stringify(body),
        isBase64Encoded: false,
    };
}
