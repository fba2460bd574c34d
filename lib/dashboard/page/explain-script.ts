/** The form that asks for the labels of a session. The id is in the body of the request, never in an address. */
export const EXPLAIN_SCRIPT = `
async function explain(sessionId) {
  const answer = await fetch('explain', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sessionId }),
  });
  if (!(answer.headers.get('content-type') ?? '').includes('json')) throw new Error('The answer is ' + answer.status + '.');
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.code + ': ' + body.message);
  return body;
}

function showExplanation({ labels, enrolled }) {
  const wide = (text) => ({ text: text ?? '', className: 'text' });
  fillTable('explain-rows', labels.map((row) => [
    row.label, row.firstAddedAt ?? '', row.route ?? '', row.by ?? '', row.node ?? '', row.requestId ?? '', wide(row.note),
  ]));
  setText('explain-answer', (labels.length === 1 ? '1 label. ' : labels.length + ' labels. ')
    + (enrolled ? 'The session is enrolled.' : 'The session is not enrolled.'));
}

byId('explain-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  setText('explain-answer', 'Asking the store');
  fillTable('explain-rows', []);
  try {
    showExplanation(await explain(byId('session-id').value.trim()));
  } catch (error) {
    setText('explain-answer', error.message);
  }
});
`;
