// What bots are saying: the pieces of an answer until it is a message in the log.

export class Answers {
  // By question and bot: {conversationId, questionSeq, botId, text, length, over}. Lengths are
  // in Unicode characters, as the server counts them.
  #answers = new Map();
  #resuming = new Set();
  #ask;
  #problem;

  // `ask(command)` promises the socket's reply.
  constructor(ask, problem) {
    this.#ask = ask;
    this.#problem = problem;
  }

  // A question was asked: its answer may take a while to begin.
  expect(conversationId, questionSeq, botId) {
    this.#at(conversationId, questionSeq, botId);
  }

  take(frame) {
    const answer = this.#at(frame.conversation_id, frame.question_seq, frame.bot_id);
    if (frame.offset === answer.length) this.#set(answer, answer.text + frame.text);
    else if (frame.offset > answer.length) this.#resume(frame.conversation_id, frame.question_seq);
  }

  // Nothing more is streamed. The message comes, too, but where there will be none.
  finish(frame) {
    const place = key(frame.conversation_id, frame.question_seq, frame.bot_id);
    if (this.#answers.has(place)) this.#answers.get(place).over = true;
  }

  // The message is there, and replaces what was streamed.
  settle({ conversation_id: id, reply_to: questionSeq, sender_id: botId }) {
    this.#answers.delete(key(id, questionSeq, botId));
  }

  // The answers of a conversation that are no messages yet.
  of(conversationId) {
    return [...this.#answers.values()].filter((one) => one.conversationId === conversationId);
  }

  // What was said so far becomes the message.
  cancel({ conversationId, questionSeq }) {
    return this.#ask({ type: "bot.cancel", conversation_id: conversationId, seq: questionSeq });
  }

  // The socket is new: what was streamed meanwhile was lost.
  resumeAll() {
    for (const one of this.#answers.values()) this.#resume(one.conversationId, one.questionSeq);
  }

  // Get all there is so far, asking once at a time.
  async #resume(conversationId, questionSeq) {
    const question = key(conversationId, questionSeq);
    if (this.#resuming.has(question)) return;
    this.#resuming.add(question);
    try {
      const command = { type: "bot.resume", conversation_id: conversationId, seq: questionSeq };
      for (const told of (await this.#ask(command)).answers) {
        const place = key(conversationId, questionSeq, told.bot_id);
        const answer = this.#answers.get(place);
        if (!answer) continue;
        if (told.seq !== null) this.#answers.delete(place);
        else if ([...told.text].length > answer.length) this.#set(answer, told.text);
      }
    } catch (error) {
      this.#problem(error.message);
    } finally {
      this.#resuming.delete(question);
    }
  }

  #at(conversationId, questionSeq, botId) {
    const place = key(conversationId, questionSeq, botId);
    if (!this.#answers.has(place)) {
      const answer = { conversationId, questionSeq, botId, text: "", length: 0, over: false };
      this.#answers.set(place, answer);
    }
    return this.#answers.get(place);
  }

  #set(answer, text) {
    answer.text = text;
    answer.length = [...text].length;
  }
}

function key(...parts) {
  return parts.join(" ");
}
