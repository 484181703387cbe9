// Swagger UI on the contract, asking this very server, with the tokens of the page one click away.
'use strict';

// The contract names servers of its own; what is tried here goes to the server that this page is from.
const HereOnly = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (contract) =>
          update({ ...contract, servers: [{ url: location.origin, description: 'The local system' }] }),
      },
    },
  },
});

const buttons = document.querySelectorAll('[data-token]');
const authorized = document.getElementById('authorized');

const reference = SwaggerUIBundle({
  dom_id: '#reference',
  url: '/console/openapi.yaml',
  plugins: [HereOnly],
  validatorUrl: null,
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  onComplete: () => buttons.forEach((button) => (button.disabled = false)),
});

for (const button of buttons) {
  button.addEventListener('click', () => {
    reference.preauthorizeApiKey('accessToken', button.dataset.token);
    buttons.forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
    authorized.textContent = `The ${button.dataset.role} token is used.`;
  });
}

// Where Swagger UI is loaded, a link to a place on the page does not bring the focus there.
document.querySelector('.skip').addEventListener('click', () => document.getElementById('main').focus());

// Swagger UI is dark by a class; the reader's system decides.
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
