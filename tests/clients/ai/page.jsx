// A page with useChat and everything that one does with it.
import { useState } from "react";
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from "ai";

const tools = [{ name: "place", description: "Where the user is", input_schema: { type: "object", properties: { why: { type: "string" } } } }];

export function Chat({ id, token, history = [] }) {
  const [text, setText] = useState("");
  const chat = useChat({
    id,
    messages: history,
    transport: new DefaultChatTransport({ api: "/api/chat", headers: { authorization: `Bearer ${token}` }, body: { tools } }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  const answer = chat.addToolOutput ?? chat.addToolResult;
  const send = (event) => {
    event.preventDefault();
    chat.sendMessage({ text });
    setText("");
  };
  const part = (part, index) => {
    if (part.type === "text") return <span key={index}>{part.text}</span>;
    if (part.type === "reasoning") return <i key={index}>{part.text}</i>;
    if (part.type !== "tool-place") return null;
    if (part.state !== "input-available") return <em key={index}>{part.state}</em>;
    const allow = () => answer({ tool: "place", toolCallId: part.toolCallId, output: "Bern" });
    return <button key={index} type="button" name="allow" onClick={allow}>Tell where I am</button>;
  };
  return (
    <form onSubmit={send}>
      {chat.messages.map((message) => (
        <p key={message.id} data-role={message.role} data-cost={message.metadata?.cost_usd}>
          {message.parts.map(part)}
        </p>
      ))}
      <output data-status={chat.status} role="status">{chat.error?.message}</output>
      <input value={text} onChange={(event) => setText(event.target.value)} />
      <button name="send">Send</button>
      <button type="button" name="stop" onClick={() => chat.stop()}>Stop</button>
      <button type="button" name="again" onClick={() => chat.regenerate()}>Again</button>
      <button type="button" name="edit" onClick={() => chat.sendMessage({ text: "Edited", messageId: chat.messages[0].id })}>Edit</button>
    </form>
  );
}
