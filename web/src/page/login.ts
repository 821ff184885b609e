/** The form in which people say who they are, and the button by which they leave. */

import { fetchMe, login, logout } from "./api.ts";

/** What the page has for it. */
export interface LoginElements {
  form: HTMLFormElement;
  /** Why it didn't work. */
  trouble: HTMLElement;
  /** Logs out; its text says who is logged in. */
  leave: HTMLButtonElement;
}

/** Shows the form when the server wants to know who asks. */
export class Login {
  readonly #elements: LoginElements;
  readonly #changed: () => void;

  /** `changed`: somebody else looks at the page now. */
  constructor(elements: LoginElements, changed: () => void) {
    this.#elements = elements;
    this.#changed = changed;
    elements.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    elements.leave.addEventListener("click", () => this.#leave());
    this.#who();
  }

  /** The server answered that it wants to know. */
  async wanted(): Promise<void> {
    const { form, leave } = this.#elements;
    leave.hidden = true;
    if (!form.hidden) return;
    const { login } = await fetchMe();
    form.hidden = !login;
    form.querySelector("input")?.focus();
  }

  /** The server answered. */
  notWanted(): void {
    this.#elements.form.hidden = true;
  }

  async #submit(): Promise<void> {
    const { form, trouble } = this.#elements;
    const data = new FormData(form);
    try {
      await login(String(data.get("username")), String(data.get("password")));
      form.reset();
      form.hidden = true;
      trouble.textContent = "";
      this.#who();
      this.#changed();
    } catch (error) {
      trouble.textContent = error instanceof Error ? error.message : "That didn't work";
    }
  }

  async #leave(): Promise<void> {
    await logout().catch(() => undefined);
    this.#elements.leave.hidden = true;
    this.#changed();
  }

  async #who(): Promise<void> {
    const { leave } = this.#elements;
    const { who, session } = await fetchMe().catch(() => ({ who: "", session: false }));
    leave.hidden = !session || who === "anonymous";
    leave.textContent = `Log out ${who.replace(/^user /, "")}`;
  }
}
